"""All that was measured on one machine: as a table, and as JSON that several runs add to."""

import os
import platform
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import shorten

import msgspec
from rich import box
from rich.markup import escape
from rich.table import Table

from benchmarks.comparison import Comparison
from benchmarks.figures import Figure
from benchmarks.rounds import Row


@dataclass(frozen=True)
class Machine:
    """memory: bytes."""

    processor: str
    cores: int
    memory: int
    system: str


def this_machine() -> Machine:
    """Where this runs."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith(("model name", "Model"))]
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    python = f"Python {platform.python_version()}"
    system = f"{platform.system()} {platform.release()}, {python}"
    return Machine((names or [platform.machine()])[0], os.cpu_count() or 1, memory, system)


class OtherMachine(Exception):
    """Figures of two machines do not belong into one table."""


@dataclass(frozen=True)
class Report:
    """versions: of servers and peers. figures: by the name of the benchmark that measured them."""

    machine: Machine
    versions: dict[str, str] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    figures: dict[str, tuple[Figure, ...]] = field(default_factory=dict)

    def with_comparison(self, comparison: Comparison) -> "Report":
        """This one with a comparison more, in place of an older one of the same title."""
        titles = [one.title for one in self.comparisons]
        if comparison.title not in titles:
            return replace(self, comparisons=(*self.comparisons, comparison))
        same = comparison.title
        return replace(self, comparisons=tuple(comparison if c.title == same else c for c in self.comparisons))

    def without_failure(self, name: str) -> "Report":
        """This one without what told that the benchmark of this name failed as a whole."""
        return replace(self, comparisons=tuple(c for c in self.comparisons if c.title != name))

    def with_versions(self, versions: dict[str, str]) -> "Report":
        """This one with the versions of more programs."""
        return replace(self, versions={**self.versions, **versions})

    def with_figures(self, name: str, figures: tuple[Figure, ...]) -> "Report":
        """This one with the figures of a benchmark more, in place of its older ones."""
        return replace(self, figures={**self.figures, name: figures})

    def added_to(self, older: "Report") -> "Report":
        """Both; raises OtherMachine."""
        if older.machine != self.machine:
            raise OtherMachine(f"measured on {older.machine}, this is {self.machine}")
        both = older.with_versions(self.versions)
        for comparison in self.comparisons:
            both = both.with_comparison(comparison)
        for name, figures in self.figures.items():
            both = both.with_figures(name, figures)
        return both

    def to_json(self) -> bytes:
        """As `read` reads it."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    def table(self) -> Table:
        """A row for each contestant and figure. It pipes: the lines are those of a Markdown table."""
        table = Table(box=box.MARKDOWN)
        for title in COLUMNS:
            table.add_column(title, justify="left" if title == COLUMNS[0] else "right", overflow="fold")
        for comparison in self.comparisons:
            table.add_row(f"**{comparison.title}**")
            for row in comparison.rows:
                table.add_row(*_cells(row))
            for name, reason in comparison.failures.items():
                table.add_row(escape(shorten(f"{name} failed: {reason}", 120).replace("|", "/")))
        for name, figures in self.figures.items():
            table.add_row(f"**{name}**")
            for figure in figures:
                table.add_row(*_figure_cells(figure))
        return table


def read(path: Path) -> Report:
    """What `to_json` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=Report)


COLUMNS = (
    "what",
    "result",
    "of the limit",
    "× best peer",
    "s",
    "client CPU s",
    "servers CPU s",
    "rows/client CPU s",
    "MB",
    "longest statement s",
    "longest snapshot s",
    "rounds",
    "budget",
)


def _cells(row: Row) -> list[str]:
    sample = row.sample
    return [
        row.name,
        f"{row.pace:,.0f} rows/s",
        _ratio(row.of_limit),
        _ratio(row.of_peer),
        f"{sample.wall:.2f}",
        f"{sample.client:.2f}",
        f"{sample.servers:.2f}",
        f"{row.efficiency:,.0f}" if row.efficiency else "",
        f"{sample.memory / 1e6:.0f}",
        _seconds(sample.statement),
        _seconds(sample.snapshot),
        f"{row.rounds}, {row.noisy} noisy" if row.noisy else str(row.rounds),
        "",
    ]


def _figure_cells(figure: Figure) -> list[str]:
    cells = [figure.name, figure.result, _ratio(figure.ratio), *[""] * (len(COLUMNS) - 4)]
    return [*cells, figure.bound]


def _ratio(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
