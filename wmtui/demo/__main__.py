"""`make demo`: the screen on a sandbox; without a terminal, proof that a killed run loses and doubles nothing."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from wmtui.demo import open_demo
from wmtui.demo.reconciliation import Comparison, both_sides, compare
from wmtui.errors import Bug, ExitCode, WmtuiError, combine
from wmtui.events import Event, Stop, TableResult
from wmtui.model import Strategy
from wmtui.service import Request, Service
from wmtui.watermarks.timestamps import to_wall
from wmtui.words import values

_PROGRAM = (sys.executable, "-m", "wmtui", "--demo")


def main() -> int:
    """Open the screen, or make a sandbox, prove and remove it; returns the exit code."""
    try:
        if sys.stdin.isatty() and sys.stdout.isatty():
            return subprocess.call(_PROGRAM)
        with tempfile.TemporaryDirectory(prefix="wmtui-demo-") as folder:
            settings, clock = open_demo(Path(folder, "sandbox"), False, print)
            return prove(Service(settings, clock=clock))
    except WmtuiError as error:
        print(f"wmtui: {error.in_one_line}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED


def prove(service: Service) -> ExitCode:
    """Sync every table, manual ones too, kill that, sync again, and print what source and warehouse hold then."""
    _follow_hints(service)
    _kill_half_way(service)
    first, again = _sync(service, "syncing again"), _sync(service, "and again")
    moved_again = sum(result.rows_extracted + result.rows_loaded for result in again)
    verified = _verify(service)
    shown = show(compare_all(service))
    codes = [ExitCode.TABLE_FAILED if moved_again else ExitCode.DONE, *(r.exit_code for r in (*first, *again))]
    return combine([shown, verified, *codes])


def _follow_hints(service: Service) -> None:
    """Where a manual watermark holds files back, place it as the summary says."""
    for table in service.workspace.settings.tables:
        summary = service.files.select(table).summary
        point = summary.enter_at
        if summary.only_held_back and point is not None and service.watermarks.get(table).is_manual:
            print(f"{table}: {summary}; {summary.hint}")
            service.watermarks.set(table, values.wall(point), reason="as the summary says")


def _kill_half_way(service: Service) -> None:
    """Kill a sync of all tables once a third is done, and end the leases it leaves, as an operator would."""
    tables = service.workspace.settings.tables
    named = [word for table in tables for word in ("-t", str(table))]
    command = [
        *_PROGRAM,
        "--demo-dir",
        str(service.workspace.settings.path.parent),
        "sync",
        *named,
        "-s",
        "inter-table",
    ]
    print("syncing every table", flush=True)
    done = 0
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            done += ": success" in line
            if done == len(tables) // 3:
                process.kill()
                break
    held = [lock for lock in service.locks.held() if not isinstance(lock, WmtuiError)]
    names = ", ".join(str(lock.table) for lock in held) or "none"
    print(f"kill -9: {done} of {len(tables)} tables were done; at work on {names}")
    for lock in held:
        service.locks.unlock(lock, reason="killed")


def _verify(service: Service) -> ExitCode:
    """Row by row, by primary key and digest."""
    results = service.verify(service.workspace.settings.tables, since=None, examples=0, emit=_unheard, stop=Stop())
    errors = [outcome for _, outcome in results if isinstance(outcome, WmtuiError)]
    verified = [outcome for _, outcome in results if not isinstance(outcome, WmtuiError)]
    for error in errors:
        print(f"  {error.in_one_line}")
        if isinstance(error, Bug):
            print(error.trace, file=sys.stderr)
    names = ("missing", "extra", "doubled", "differing")
    sums = {name: sum(getattr(table.counts, name) for table in verified) for name in names}
    compared = sum(table.compared for table in verified)
    print(f"verify: {compared} rows compared, " + ", ".join(f"{number} {name}" for name, number in sums.items()))
    return ExitCode.TABLE_FAILED if errors or any(sums.values()) else ExitCode.DONE


def show(comparisons: Sequence[Comparison]) -> ExitCode:
    """Print a line for each table and one for all."""
    for comparison in comparisons:
        print(f"{comparison.table!s:46} {comparison}")
    wrong = [str(c.table) for c in comparisons if not c.right]
    if wrong:
        print(f"wrong: {', '.join(wrong)}")
        return ExitCode.TABLE_FAILED
    source = sum(comparison.source for comparison in comparisons)
    warehouse = sum(comparison.warehouse for comparison in comparisons)
    excluded = sum(comparison.excluded for comparison in comparisons)
    purpose = f" + {excluded} left out on purpose" if excluded else ""
    print(f"{len(comparisons)} tables: source {source} = warehouse {warehouse}{purpose}, 0 doubled")
    return ExitCode.DONE


def compare_all(service: Service) -> list[Comparison]:
    """Every table, in the order of tables.yaml."""
    settings = service.workspace.settings
    with both_sides(settings) as connection:
        comparisons = []
        for table, config in settings.tables.items():
            floor = service.watermarks.get(table).load_floor
            comparisons.append(compare(connection, table, config, floor and to_wall(floor, settings.zone)))
        return comparisons


def _sync(service: Service, what: str) -> list[TableResult]:
    """Naming the tables extracts those with a manual watermark too."""
    tables = tuple(service.workspace.settings.tables)
    results = service.syncs.sync(Request(tables, strategy=Strategy.INTER_TABLE), emit=_unheard, stop=Stop())
    extracted, loaded = (sum(getattr(r, name) for r in results) for name in ("rows_extracted", "rows_loaded"))
    print(f"{what}: {extracted} rows extracted, {loaded} loaded")
    for result in results:
        if result.error:
            print(f"  {result.table}: {result.error}")
    return results


def _unheard(_: Event) -> None:
    """The results say enough."""


if __name__ == "__main__":
    sys.exit(main())
