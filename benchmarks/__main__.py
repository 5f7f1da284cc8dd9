"""Measure, and print one table: `python -m benchmarks [NAME …]`; the names are those of `ALONE` and `ON_SERVERS`."""

import compileall
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import click
from rich.console import Console

import wmtui
from benchmarks import backlog, command, idle, listing, merges, screen, transfers, verdicts, verify, watermarks
from benchmarks.comparison import FAILURES, Comparison, reason
from benchmarks.figures import Figure
from benchmarks.machinery import Servers
from benchmarks.options import Options
from benchmarks.peers import PEERS
from benchmarks.report import OtherMachine, Report, read, this_machine
from wmtui.errors import WmtuiError

ON_SERVERS: dict[str, Callable[[Servers], Iterable[Comparison | Figure]]] = {
    "extraction": transfers.extraction,
    "sync": transfers.full_sync,
    "windows": transfers.windows,
    "shapes": transfers.shapes,
    "sizes": transfers.sizes,
    "workers": transfers.workers,
    "idle": idle.figures,
    "verify": verify.figures,
}
"""On a source server, PostgreSQL and S3."""
ALONE: dict[str, Callable[[Options], Iterable[Figure]]] = {
    "verdicts": verdicts.figures,
    "command": command.figures,
    "screen": screen.figures,
    "listing": listing.figures,
    "watermarks": watermarks.figures,
    "backlog": backlog.figures,
    "merges": merges.figures,
}
"""On what each of them starts."""
LONG = ("merges", "watermarks")
"""What --quick leaves out unless it is named."""
WIDTH = 260
"""Of the table where it is piped."""


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("names", nargs=-1, type=click.Choice([*ON_SERVERS, *ALONE]))
@click.option("--quick", envvar="QUICK", is_flag=True, help="Fewer rows, repetitions and figures, for a first look.")
@click.option("--rows", "rows_asked", envvar="ROWS", type=click.IntRange(1000), help="Of a table; 2,000,000 else.")
@click.option("--rounds", envvar="ROUNDS", type=click.IntRange(1), default=3, help="Quiet rounds of a comparison.")
@click.option(
    "--repeats", type=click.IntRange(0), default=3, help="How many noisy rounds are run again at most; 1 with --quick."
)
@click.option("--source", envvar="SOURCE", type=click.Choice(["mysql", "mariadb"]), default="mysql")
@click.option("--config", type=click.Path(path_type=Path), help="Read the source of this tables.yaml in its place.")
@click.option("--profile", help="Of that file.")
@click.option("-t", "--table", help="Of that file: the one to read.")
@click.option("--build", is_flag=True, help="Make the tables of the benchmark there, in a schema that is dropped.")
@click.option("--peers/--no-peers", default=True, help="Whether other programs take part.")
@click.option("--long", is_flag=True, help="Also what takes many minutes: 10,000,000 rows, 1,000 tables.")
@click.option("--json", "path", type=click.Path(path_type=Path), help="Add the figures to those in this file.")
def main(names: tuple[str, ...], path: Path | None, **asked: object) -> None:
    """Measure what is named, or everything: figures of transfers are medians of rounds in which every program ran.

    Exit 1 when wmtui itself failed at something; a peer that cannot take part is only told.
    """
    options = Options(**asked)  # type: ignore[arg-type]
    if options.config and not options.build and not options.table:
        raise click.UsageError("name a table with -t, or let tables be made with --build")
    report = Report(this_machine())
    try:
        older = read(path) if path and path.exists() else report
        report.added_to(older)
    except OtherMachine as error:
        raise click.UsageError(f"{path}: {error}") from None
    compileall.compile_dir(str(Path(wmtui.__file__).parent), quiet=1)  # as pip does when it installs
    for name, found, versions in measure(names, options):
        report, older = added(report, name, found, versions), older.without_failure(name)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(report.added_to(older).to_json())
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    console.print(report.table())
    sys.exit(any(comparison.failed for comparison in report.comparisons))


Found = list[Comparison | Figure]


def measure(names: tuple[str, ...], options: Options) -> Iterator[tuple[str, Found, dict[str, str]]]:
    """What each benchmark found, and the versions of what took part."""
    peers = {package: version for peer in PEERS for package, version in peer.versions().items()}
    with ExitStack() as stack:
        os.environ["XDG_CONFIG_HOME"] = stack.enter_context(tempfile.TemporaryDirectory(prefix="wmtui-bench-"))
        if servers_needed := [name for name in ON_SERVERS if not names or name in names]:
            with Servers(options) as servers:
                versions = servers.versions() | (peers if options.peers else {})
                for name in servers_needed:
                    print(f"== {name}", file=sys.stderr, flush=True)
                    yield name, results(name, ON_SERVERS[name](servers)), versions
        for name, benchmark in ALONE.items():
            if name in names or not (names or (options.quick and name in LONG)):
                print(f"== {name}", file=sys.stderr, flush=True)
                yield name, results(name, benchmark(options)), {}


def results(name: str, benchmark: Iterable[Comparison | Figure]) -> Found:
    """What it finds, until it fails: then that is told in the end, and the others go on."""
    found: Found = []
    try:
        for one in benchmark:
            found.append(one)
    except (*FAILURES, AssertionError, OSError, RuntimeError, WmtuiError) as error:
        found.append(Comparison(name, (), {f"wmtui, {name}": reason(error)}))
        print(found[-1], file=sys.stderr, flush=True)
    return found


def added(report: Report, name: str, found: Found, versions: dict[str, str]) -> Report:
    """The report with what a benchmark found."""
    report = report.with_versions(versions)
    for one in found:
        if isinstance(one, Comparison):
            report = report.with_comparison(one)
    figures = tuple(one for one in found if isinstance(one, Figure))
    return report.with_figures(name, figures) if figures else report


if __name__ == "__main__":
    main()
