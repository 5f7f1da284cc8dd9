"""What the list of tables shows: what was read of each, in an order, narrowed by a pattern. Nothing here draws."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from msgspec import Struct, field
from msgspec.structs import replace

from wmtui.config import Settings
from wmtui.model import TableName
from wmtui.service import Look, State, TableProgress, TableSeverity
from wmtui.words import states


class SortOrder(StrEnum):
    """How tables are sorted."""

    CONFIGURED = "as configured"
    URGENCY = "what needs you first"
    NAME = "by name"
    LAG = "by lag"


Problem = State | TableSeverity
"""What is wrong with a table; of warnings, which are counted together, their severity."""
_NEVER = timedelta.max


class TableListState(Struct):
    """Every configured table. running: what this screen's own syncs do; queued: tables that wait for a worker."""

    settings: Settings
    looks: dict[TableName, Look] = field(default_factory=dict)
    running: dict[TableName, TableProgress] = field(default_factory=dict)
    queued: set[TableName] = field(default_factory=set)
    marked: set[TableName] = field(default_factory=set)
    order: SortOrder = SortOrder.CONFIGURED
    pattern: str = ""
    _problems: Counter[Problem | None] = field(default_factory=Counter)
    _texts: dict[TableName, str] = field(default_factory=dict)
    _with_run: set[TableName] = field(default_factory=set)

    @property
    def tables(self) -> tuple[TableName, ...]:
        """Every table, in the order of tables.yaml."""
        return tuple(self.settings.tables)

    def visible(self) -> list[TableName]:
        """The tables whose name or problem holds every word of the pattern, in order."""
        tables = list(self.tables)
        for word in self.pattern.lower().split():
            texts = self._searched()
            tables = [table for table in tables if word in texts[table]]
        if self.order is SortOrder.NAME:
            tables.sort(key=str)
        elif self.order is SortOrder.LAG:
            tables.sort(key=self._lag, reverse=True)
        elif self.order is SortOrder.URGENCY:
            tables.sort(key=self._urgency)
        return tables

    def take(self, look: Look) -> None:
        """Take in what was read; a count of waiting files that was known stays until there is a new one."""
        known = self.looks.get(look.table)
        if look.waiting is None and known is not None and known.serial == look.serial:
            look = replace(look, waiting=known.waiting, listed_at=known.listed_at)
            if known.status.state.needs_count:
                look = replace(look, status=replace(look.status, judgement=known.status.judgement))
        if known is not None:
            self._problems[problem_of(known)] -= 1
        self._problems[problem_of(look)] += 1
        self.looks[look.table] = look
        self._texts[look.table] = _text(look)
        (self._with_run.add if look.status.phase else self._with_run.discard)(look.table)

    def problems(self) -> Mapping[Problem, int]:
        """How many tables have which problem; those with a warning are counted together."""
        return {problem: count for problem, count in self._problems.items() if problem and count}

    def causes(self) -> list[tuple[str, list[TableName]]]:
        """What went wrong, each cause once with its tables, the commonest first, else in the order of tables.yaml."""
        tables_by_cause: dict[str, list[TableName]] = {}
        for table in self.tables:
            look = self.looks.get(table)
            if look is not None and look.status.problem:
                tables_by_cause.setdefault(cause(look), []).append(table)
        return sorted(tables_by_cause.items(), key=lambda group: -len(group[1]))

    def runs_elsewhere(self) -> list[Look]:
        """Tables that another process works on."""
        return [self.looks[table] for table in self._with_run if table not in self.running]

    def targets(self, current: TableName | None) -> list[TableName]:
        """What an action is about: the marked tables, else the current one."""
        if self.marked:
            return [table for table in self.tables if table in self.marked]
        return [] if current is None else [current]

    def _searched(self) -> Mapping[TableName, str]:
        """What a pattern is looked for in; only the name of a table that was not read yet."""
        if len(self._texts) < len(self.settings.tables):
            self._texts = {table: str(table).lower() for table in self.tables} | self._texts
        return self._texts

    def _lag(self, table: TableName) -> timedelta:
        look = self.looks.get(table)
        lag = look.status.lag if look else None
        return _NEVER if lag is None else lag

    def _urgency(self, table: TableName) -> tuple[int, timedelta]:
        look = self.looks.get(table)
        if look is None:
            return (len(State) + 2, timedelta(0))
        return (look.status.rank, -(look.status.lag or timedelta(0)))


def problem_of(look: Look) -> Problem | None:
    """What is wrong with a table; None: nothing."""
    return TableSeverity.WARN if look.status.severity is TableSeverity.WARN else look.status.problem


def _text(look: Look) -> str:
    """What a pattern is looked for in."""
    status, manual = look.status, "manual" if look.mark and look.mark.is_manual else ""
    problem = states.name(status) if status.problem else ""
    words = (str(look.table), manual, problem_of(look) or "", problem, status.mysql_status, status.redshift_status)
    return " ".join(words).lower()


_WITH_REASONS = (State.FAILED, State.GONE, State.UNREADABLE, State.INCOMPLETE_COPY)
"""States whose reason may be that of many tables."""


def cause(look: Look) -> str:
    """Why a table has a problem, without its name, so that equal causes are equal texts."""
    status, problem = look.status, states.name(look.status)
    text = states.why(look.table, status.judgement) if status.state in _WITH_REASONS else ""
    for name in (str(status.table), status.table.key):
        text = text.replace(name, "…")
    return f"{problem}: {text}" if text else problem


def age(look: Look, now: datetime, read: datetime) -> timedelta | None:
    """How long ago the run of another process was heard of."""
    return None if look.heartbeat is None else look.heartbeat.age + (now - read)


def find_table(tables: Iterable[TableName], text: str) -> TableName | None:
    """The table that a typed name means: equal, else the first that begins so, else that holds it."""
    text = text.strip().lower()
    names = [(str(table).lower(), table) for table in tables]
    tests = (str.__eq__, str.startswith, str.__contains__)
    return next((table for test in tests for name, table in names if test(name, text)), None) if text else None
