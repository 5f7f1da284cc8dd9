"""A name is a name: what looks like a marker of a driver's, or is called as our own helpers are, goes its way."""

import pytest

from tests.stack import Stack, ago
from tests.verify.test_verify_table import verify
from wmtui.verify import Result

COLUMNS = (
    "%(p0)s",
    "%s",
    "%",
    "%%",
    ":p0",
    ":1",
    "?",
    "$1",
    "$p0",
    "it's",
    'say "so"',
    "wmtui:file",
    "wmtui:row",
    "c0",
)


@pytest.mark.parametrize("key", ["%(p0)s", "?", ":p0", "$1"])
def test_columns_that_look_like_markers_of_values_are_columns(stack: Stack, key: str) -> None:
    table = "100%(p0)s"
    quote = '"' if stack.schema == "shop" else "`"

    def quoted(name: str) -> str:
        return quote + name.replace(quote, quote * 2) + quote

    others = [name for name in COLUMNS if name != key]
    declared = ", ".join(f"{quoted(name)} VARCHAR(20)" for name in others)
    stack.source(
        f"CREATE TABLE {stack.schema}.{quoted(table)} ({quoted(key)} BIGINT NOT NULL, {declared},"
        f" {quoted('update %(at)s')} DATETIME NOT NULL, PRIMARY KEY ({quoted(key)}))"
    )
    written = table.replace("%", "%25")
    stack.reload(**{written: {"primary_key": [key], "cursor": "update %(at)s"}})

    def insert(row: int, minutes: int) -> None:
        texts = ", ".join(f"'{row}-{place}'" for place in range(len(others)))
        stack.source(f"INSERT INTO {stack.schema}.{quoted(table)} VALUES ({row}, {texts}, '{ago(minutes=minutes)}')")

    insert(1, 50)
    assert stack.sync_one(table).rows_loaded == 1
    insert(2, 40)
    assert stack.sync_one(table).rows_loaded == 1

    assert verify(stack, table).result is Result.RIGHT
    stack.warehouse(f'''UPDATE "{table}" SET "{others[0]}" = 'harmed' ''')
    result = verify(stack, table)
    assert result.counts.differing == 2
    assert [example.key for example in result.examples] == [{key: 1}, {key: 2}]
