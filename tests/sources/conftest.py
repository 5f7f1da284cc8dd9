"""The sources that the shared tests run on."""

import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pytest

from tests.servers import Database
from tests.servers.sources import SourceServer, source_kinds
from wmtui.config import DuckDBConfig, MySQLConfig, Secret, TableConfig
from wmtui.model import Order, Position, Span, TableName
from wmtui.sources import Source, SourceTable
from wmtui.sources.duckdb.source import DuckDBSource
from wmtui.sources.mysql.source import MySQLSource

ZONE = ZoneInfo("Asia/Shanghai")
FAR = Position(datetime(9999, 1, 1))
EVERYTHING = Span(Order.PRIMARY_KEY, None, FAR)


class Apart:
    """A source whose every operation has a connection of its own."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self.check, self.check_table, self.connect = source.check, source.check_table, source.connect

    def read(self, *arguments: Any) -> Iterator[pa.RecordBatch]:
        with self._source.connect() as connection:
            yield from connection.read(*arguments)

    def scan(self, *arguments: Any) -> Iterator[pa.RecordBatch]:
        with self._source.connect() as connection:
            yield from connection.scan(*arguments)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            with self._source.connect() as connection:
                return getattr(connection, name)(*arguments)

        return call


@dataclass(frozen=True)
class SourceCase:
    """A source whose profile is in Shanghai, and a way to write to it; its sessions write TIMESTAMP in UTC.

    types: this database's spelling of `{datetime}`, `{timestamp}`, `{instant}` (a timestamp that is never NULL) and
    `{binary}` in statements; `run` takes them as they are. path: the DuckDB file.
    """

    source: Apart
    schema: str
    types: dict[str, str]
    run: Callable[[Sequence[str]], None]
    path: str = ""

    def execute(self, *statements: str) -> None:
        self.run([statement.format_map(self.types) for statement in statements])

    def name(self, table: str) -> TableName:
        return TableName(self.schema, table)

    def describe(
        self, table: str, cursor: str = "u", primary_key: Sequence[str] = ("id",), **settings: Any
    ) -> SourceTable:
        return self.source.describe(self.name(table), table_config(cursor, primary_key, **settings))


@pytest.fixture
def server_case(source_db: Database) -> SourceCase:
    """An empty database of the source server under test."""

    def run(statements: Sequence[str]) -> None:
        source_db.execute("SET time_zone = '+00:00', sql_mode = ''", *statements)

    types = {
        "datetime": "DATETIME(6)",
        "timestamp": "TIMESTAMP(6) NULL",
        "instant": "TIMESTAMP(6) NOT NULL",
        "binary": "VARBINARY(20)",
    }
    return SourceCase(Apart(MySQLSource(mysql_config(source_db), ZONE)), source_db.name, types, run)


@pytest.fixture
def duckdb_case(tmp_path: Path) -> SourceCase:
    path = str(tmp_path / "shop.duckdb")

    def run(statements: Sequence[str]) -> None:
        with duckdb.connect(path) as connection:
            connection.execute("SET TimeZone = 'UTC'; CREATE SCHEMA IF NOT EXISTS shop.shop; USE shop.shop")
            for statement in statements:
                connection.execute(statement)

    run([])
    source = Apart(DuckDBSource(DuckDBConfig(path=path), ZONE, lambda: datetime(2025, 8, 14, 12, tzinfo=UTC)))
    types = {"datetime": "TIMESTAMP", "timestamp": "TIMESTAMPTZ", "instant": "TIMESTAMPTZ", "binary": "BLOB"}
    return SourceCase(source, "shop", types, run, path)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every kind of source that a test of any `case` runs on."""
    if "case" in metafunc.fixturenames:
        metafunc.parametrize("case", [*source_kinds(metafunc), "duckdb"], indirect=True)


@pytest.fixture
def case(request: pytest.FixtureRequest) -> SourceCase:
    """An empty source of each kind."""
    made: SourceCase = request.getfixturevalue("duckdb_case" if request.param == "duckdb" else "server_case")
    return made


def mysql_config(database: Database, user: str | None = None) -> MySQLConfig:
    server = database.server
    password = Secret(server.password)
    return MySQLConfig(host=server.host, port=server.port, user=user or server.user, password=password, tls="disable")


def table_config(cursor: str, primary_key: Sequence[str], **settings: Any) -> TableConfig:
    return TableConfig(cursor=cursor, primary_key=tuple(primary_key), **settings)


def read_rows(
    source: Apart, table: SourceTable, span: Span = EVERYTHING, batch_rows: int = 1000
) -> list[tuple[object, ...]]:
    """The rows of a span, as Python values in the order of arrival."""
    return [row for batch in source.read(table, span, batch_rows) for row in rows_of(batch)]


def rows_of(batch: pa.RecordBatch) -> Iterable[tuple[object, ...]]:
    return zip(*(column.to_pylist() for column in batch.columns), strict=True)


class OneColumn:
    """Reads SQL literals back from a MySQL column of a type; `arrow_type` is the type it was read as."""

    def __init__(self, database: Database, **settings: Any) -> None:
        self._settings = settings
        self._database = database
        self._source = Apart(MySQLSource(mysql_config(database), ZONE))
        self.arrow_type: pa.DataType | None = None

    def __call__(self, column_type: str, *literals: str) -> list[object]:
        values = ", ".join(f"({number}, '2025-01-01', {literal})" for number, literal in enumerate(literals))
        self._database.execute(
            "SET time_zone = '+00:00', sql_mode = ''",
            "DROP TABLE IF EXISTS t",
            f"CREATE TABLE t (id INT PRIMARY KEY, u DATETIME NOT NULL, v {column_type})",
            f"INSERT INTO t VALUES {values}",
        )
        table = self._source.describe(TableName(self._database.name, "t"), table_config("u", ["id"], **self._settings))
        self.arrow_type = table.schema.field("v").type
        return [row[2] for row in read_rows(self._source, table)]


@pytest.fixture
def one_column(source_db: Database) -> OneColumn:
    return OneColumn(source_db)


@pytest.fixture(scope="session")
def certificate_and_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Files of a certificate for 127.0.0.1 that signed itself, and of its key."""
    folder = tmp_path_factory.mktemp("tls")
    folder.chmod(0o755)
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run([*command.split(), "-keyout", key, "-out", certificate], check=True, capture_output=True)
    key.chmod(0o644)
    return certificate, key


@pytest.fixture
def tls_server(
    source_server_with: Callable[..., SourceServer], source_kind: str, certificate_and_key: tuple[Path, Path]
) -> tuple[SourceServer, Path]:
    """A server that offers TLS, and the file of the authority that signed its certificate."""
    certificate, key = certificate_and_key
    switch = ("--ssl",) if source_kind == "mariadb" else ()
    files = (f"--ssl-cert={certificate}", f"--ssl-key={key}", f"--ssl-ca={certificate}")
    return source_server_with(*switch, *files), certificate
