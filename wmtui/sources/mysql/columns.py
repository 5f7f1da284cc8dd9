"""Which columns of a MySQL table are read: those that the settings do not exclude, all of them or none."""

from msgspec.structs import replace

from wmtui.config import TableConfig
from wmtui.errors import PrivilegeMissing
from wmtui.model import TableName
from wmtui.sources.mysql.account import grant
from wmtui.sources.mysql.column_types import Column
from wmtui.sources.mysql.session import Session
from wmtui.sources.settings_check import selected_columns, unreadable_columns
from wmtui.sources.span_query import MYSQL


def readable_columns(session: Session, table: TableName, columns: list[Column], config: TableConfig) -> list[Column]:
    """Of the columns that the account is shown those that it may read and the settings do not exclude.

    An account with SELECT on some columns is not shown the others: that a narrower table
    is intended must be said by an `exclude` with a column that is not shown. Raises ConfigError; SourceError where the
    account may read none.
    """
    shown = {column.name: column for column in columns}
    denied = _denied(session, table)
    if denied is None:
        return [shown[name] for name in selected_columns(table, list(shown), config)]
    needed = grant(session, "SELECT", MYSQL.table(table))
    readable = {name: column for name, column in shown.items() if column.readable}
    if not readable:
        raise PrivilegeMissing(denied.what, denied.why, needed) from denied
    folded = {name.casefold() for name in readable}
    hidden = [name for name in config.exclude if name.casefold() not in folded]
    if not hidden:
        raise unreadable_columns(table, list(readable), needed)
    visible = replace(config, exclude=tuple(name for name in config.exclude if name not in hidden))
    return [readable[name] for name in selected_columns(table, list(readable), visible)]


def _denied(session: Session, table: TableName) -> PrivilegeMissing | None:
    """The refusal to show every column, None if there is none. No row is read; MySQL does not count INVISIBLE ones."""
    try:
        session.query(MYSQL.select("*", table, "FALSE"))
    except PrivilegeMissing as error:
        return error
    return None
