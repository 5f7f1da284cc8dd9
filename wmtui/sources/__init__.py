"""Source databases: where rows come from."""

from zoneinfo import ZoneInfo

import wmtui.mysql_library  # noqa: F401
from wmtui.config import MySQLConfig, SourceConfig
from wmtui.model import Clock
from wmtui.sources.base import CursorCounts, Source, SourceClock, SourceConnection, SourceTable, TableState, Writer


def open_source(config: SourceConfig, zone: ZoneInfo, clock: Clock) -> Source:
    """The source a profile names; connects on first use. `clock` is the embedded source's; a server has its own."""
    if isinstance(config, MySQLConfig):
        from wmtui.sources.mysql.source import MySQLSource

        return MySQLSource(config, zone)
    from wmtui.sources.duckdb.source import DuckDBSource

    return DuckDBSource(config, zone, clock)


__all__ = [
    "CursorCounts",
    "Source",
    "SourceClock",
    "SourceConnection",
    "SourceTable",
    "TableState",
    "Writer",
    "open_source",
]
