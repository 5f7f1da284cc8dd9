"""What is compared: the server's own client, wmtui and its peers, each on the same servers."""

import shlex
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from json import JSONDecoder
from pathlib import Path
from typing import Any
from urllib.parse import quote

import yaml

from benchmarks.comparison import Contestant, WrongResult
from benchmarks.machinery import Job, Lake, Servers, Table
from benchmarks.peers import DLT, HERE, INGESTR, RIVET, Unavailable
from benchmarks.rounds import Role, Sample
from tests.servers import Database, find_binary
from tests.servers.s3 import ENVIRONMENT


def limit(servers: Servers, tables: Sequence[Table], where: str = "", rows: int | None = None) -> Contestant:
    """The client reads and discards: no program that reads the rows can be faster."""
    source = servers.source
    selects = ";".join(f"SELECT * FROM {servers.schema}.{table.name} {where}" for table in tables)
    command = [find_binary("mariadb", "/usr/bin", "/usr/local/bin"), "--no-defaults", "--quick", "--batch"]
    command += [f"--host={source['host']}", f"--port={source.get('port', 3306)}", f"--user={source['user']}"]
    command += ["--skip-ssl" if source.get("tls") == "disable" else "--ssl", f"--execute={selects}"]
    if source.get("ca"):
        command.append(f"--ssl-ca={source['ca']}")
    job = Job(["sh", "-c", f"exec {shlex.join(command)} > /dev/null"], {"MYSQL_PWD": source.get("password", "")})
    counted = _sum(tables) if rows is None else rows
    return Contestant("the client alone", "limit", counted, lambda: servers.measure(job)[0])


def wmtui(name: str, servers: Servers, tables: Sequence[Table], *arguments: str, into: str = "postgres") -> Contestant:
    """A first sync of tables by wmtui, into a new store and a new warehouse. into: `postgres`, `duckdb` or `s3`."""

    def measure() -> Sample:
        with ExitStack() as stack:
            address = stack.enter_context(servers.warehouse()).config if into == "postgres" else None
            lake = stack.enter_context(servers.lake(*tables, warehouse=address))
            only = ["--backup-only"] if into == "s3" else []
            return sync(servers, lake, _sum(tables), *only, *arguments, loads=into != "s3")

    return Contestant(f"wmtui{name}", "ours", _sum(tables), measure)


def sync(servers: Servers, lake: Lake, rows: int, *arguments: str, loads: bool = True, exactly: bool = True) -> Sample:
    """One sync of all tables of a store; raises WrongResult unless so many rows were moved. exactly: not more either,
    as where the overlap of two windows has none.
    """
    sample, output = servers.measure(lake.wmtui("sync", "--json", "--quiet", *lake.named, *arguments))
    document, _ = JSONDecoder().raw_decode(output, output.index("{\n"))  # messages may precede and follow it
    results = document["tables"]
    moved = sum(table["rows_loaded" if loads else "rows_extracted"] for table in results)
    if moved < rows or (exactly and moved > rows):
        raise WrongResult(f"wmtui moved {moved:,} rows in place of {rows:,}")
    return sample


def dlt(how: str, role: Role, servers: Servers, table: Table) -> Contestant:
    """dlt into PostgreSQL: connectorx reads, ADBC writes. how: `merge` or `replace`."""

    def job(database: Database, folder: Path) -> Job:
        program = [str(DLT.install()), str(HERE / "dlt_sync.py"), how, str(folder)]
        return Job(
            program,
            {
                "SOURCE_URL": _source_url(servers),
                "TABLE": table.name,
                "WAREHOUSE_URL": _warehouse_url(database),
                "RUNTIME__DLTHUB_TELEMETRY": "false",
            },
        )

    return Contestant(f"dlt {how}", role, table.rows, _into_postgres(servers, table, job))


def ingestr(how: str, role: Role, servers: Servers, table: Table) -> Contestant:
    """ingestr into PostgreSQL. how: `merge` or `replace`."""

    def job(database: Database, folder: Path) -> Job:
        command = [str(INGESTR.install()), "ingest", "--yes", "--progress", "log"]
        command += ["--source-uri", _source_url(servers), "--source-table", f"{servers.schema}.{table.name}"]
        command += ["--dest-uri", _warehouse_url(database), "--dest-table", f"public.{table.name}"]
        command += ["--incremental-strategy", how, *(x for key in table.key for x in ("--primary-key", key))]
        return Job([*command, "--pipelines-dir", str(folder)], {"DISABLE_TELEMETRY": "true", "HOME": str(folder)})

    return Contestant(f"ingestr {how}", role, table.rows, _into_postgres(servers, table, job))


def rivet(servers: Servers, table: Table) -> Contestant:
    """rivet into Parquet on S3, in chunks by key."""

    def measure() -> Sample:
        if servers.kind != "MySQL":
            raise Unavailable("rivet reads MySQL only")
        program = str(RIVET.install())
        bucket = servers.s3.new_bucket()
        with tempfile.TemporaryDirectory(dir=servers.folder) as name:
            path = Path(name) / "rivet.yaml"
            path.write_text(yaml.safe_dump(_rivet_configuration(servers, table, bucket)))
            env = ENVIRONMENT | {"SOURCE_URL": _source_url(servers)}
            try:
                sample, _ = servers.measure(Job([program, "run", "--config", str(path)], env))
                written = sum(1 for key in servers.s3.keys(bucket) if key.endswith(".parquet"))
            finally:
                servers.s3.empty(bucket)
        if not written:
            raise WrongResult("rivet wrote no file")
        return sample

    return Contestant("rivet", "peer", table.rows, measure)


def _rivet_configuration(servers: Servers, table: Table, bucket: str) -> dict[str, Any]:
    export = {
        "name": table.name,
        "table": table.name,
        "mode": "chunked",
        "chunk_column": table.key[0],
        "chunk_size": 100_000,
        "format": "parquet",
        "destination": {
            "type": "s3",
            "bucket": bucket,
            "prefix": "export/",
            "region": "us-east-1",
            "endpoint": servers.s3.endpoint_url,
        },
    }
    return {"source": {"type": "mysql", "url_env": "SOURCE_URL"}, "exports": [export]}


def _into_postgres(servers: Servers, table: Table, job: Callable[[Database, Path], Job]) -> Callable[[], Sample]:
    """Measure a program that writes a table into a new database, and count what is there afterwards."""

    def measure() -> Sample:
        with servers.warehouse() as database, tempfile.TemporaryDirectory(dir=servers.folder) as folder:
            sample, _ = servers.measure(job(database, Path(folder)))
            ((count,),) = database.query(f'SELECT count(*) FROM public."{table.name}"')
        if count != table.rows:
            raise WrongResult(f"{count:,} rows arrived in place of {table.rows:,}")
        return sample

    return measure


def _source_url(servers: Servers) -> str:
    source = servers.source
    account = f"{quote(source['user'], safe='')}:{quote(source.get('password', ''), safe='')}"
    return f"mysql://{account}@{source['host']}:{source.get('port', 3306)}/{servers.schema}"


def _warehouse_url(database: Database) -> str:
    server = database.server
    return f"postgresql://{server.user}:{server.password}@{server.host}:{server.port}/{database.name}?sslmode=disable"


def _sum(tables: Sequence[Table]) -> int:
    return sum(table.rows for table in tables)
