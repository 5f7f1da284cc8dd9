"""TLS to PostgreSQL: verified, merely encrypted, or refused."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import Database, find_binary
from tests.servers.postgres import Postgres
from tests.warehouses.conftest import postgres_config
from wmtui.errors import WarehouseError
from wmtui.model import Level
from wmtui.warehouses.postgres.warehouse import PostgresWarehouse


def certificate(folder: Path) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1 and its key."""
    chain, key = folder / "server.pem", folder / "server.key"
    openssl = find_binary("openssl", "/usr/bin", "/usr/local/bin")
    request = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=warehouse")
    names = ("-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run([openssl, *request, *names, "-out", chain, "-keyout", key], check=True, capture_output=True)
    return chain, key


@pytest.fixture(scope="module")
def server() -> Iterator[Postgres]:
    """A PostgreSQL server that speaks TLS."""
    server = Postgres()
    chain, key = certificate(server.folder)
    if server.run_as:
        shutil.chown(key, server.run_as)
    server.arguments = ("--ssl=on", f"--ssl_cert_file={chain}", f"--ssl_key_file={key}")
    with server:
        yield server


@pytest.fixture
def database(server: Postgres) -> Iterator[Database]:
    """A database of the test's own."""
    with server.new_database() as database:
        yield database


def test_a_certificate_of_the_named_authority_is_accepted(server: Postgres, database: Database) -> None:
    config = postgres_config(database, tls="verify", ca=str(server.folder / "server.pem"))
    assert PostgresWarehouse(config).check()[0].finding.endswith("encrypted")


def test_a_certificate_of_nobody_we_trust_is_refused(database: Database) -> None:
    with pytest.raises(WarehouseError, match="certificate") as failure:
        PostgresWarehouse(postgres_config(database, tls="verify")).describe("orders")
    assert "set ca" in failure.value.next_step


def test_a_certificate_for_another_name_is_refused(server: Postgres, database: Database) -> None:
    config = postgres_config(database, tls="verify", ca=str(server.folder / "server.pem"), host="localhost")
    with pytest.raises(WarehouseError, match="certificate"):
        PostgresWarehouse(config).describe("orders")


def test_require_encrypts_and_disable_does_not(database: Database) -> None:
    levels = [PostgresWarehouse(postgres_config(database, tls=tls)).check()[0].level for tls in ("require", "disable")]
    assert levels == [Level.OK, Level.WARNING]
