"""The servers that a source of type `mysql` may be: MariaDB and MySQL, and which tests run on both."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from tests.servers.mariadb import MariaDB
from tests.servers.mysql import MySQL, is_there

SourceServer = MariaDB | MySQL

SOURCES: dict[str, type[MariaDB] | type[MySQL]] = {"mariadb": MariaDB, "mysql": MySQL}
"""By the name that `--source`, fixtures and the names of tests give them."""

ON_BOTH = (
    "tests/test_servers.py",
    "tests/sources",
    "tests/workflows/test_round_trip.py",
    "tests/pipeline/test_incremental.py",
    "tests/pipeline/test_large_windows.py",
    "tests/pipeline/test_continuity.py",
    "tests/pipeline/test_metadata_changes.py",
    "tests/chaos/test_chaos.py",
)
"""Folders and modules whose tests run on every source server; all others run on one. `--source` chooses one for all."""

NO_MYSQL = "there is no MySQL in .mysql: `make mysql` fetches it"
"""Why a test was skipped."""

_ROOT = Path(__file__).parents[2]


def source_kinds(metafunc: pytest.Metafunc) -> tuple[str, ...]:
    """The source servers that a test is to run on."""
    if asked := metafunc.config.getoption("source"):
        return (asked,)
    path = metafunc.definition.path.relative_to(_ROOT)
    return tuple(SOURCES) if any(path.is_relative_to(place) for place in ON_BOTH) else ("mariadb",)


def on_servers(metafunc: pytest.Metafunc, pipelines: Iterable[str]) -> list[str]:
    """Kinds of pipelines, with a source server's name in place of `servers` where a test runs on several."""
    return list(_on_servers(source_kinds(metafunc), pipelines))


def _on_servers(kinds: tuple[str, ...], pipelines: Iterable[str]) -> Iterator[str]:
    for pipeline in pipelines:
        if pipeline == "servers" and len(kinds) > 1:
            yield from kinds
        else:
            yield pipeline


def require(kind: str) -> str:
    """The kind itself; skips the test where there is no such server here."""
    if kind == "mysql" and not is_there():
        pytest.skip(NO_MYSQL)
    return kind
