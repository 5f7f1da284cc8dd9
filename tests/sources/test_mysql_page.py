"""docs/mysql.md: its statements and its first tables.yaml work on fresh servers, and it names all there is to name."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.mariadb import MariaDB
from tests.servers.mysql import MySQL
from tests.sources.certificates import new_authority
from wmtui.sources.mysql import errors, session

PAGE = (Path(__file__).parents[2] / "docs" / "mysql.md").read_text(encoding="utf-8")
BLOCKS = {kind: re.findall(rf"(?ms)^```{kind}\n(.*?)^```", PAGE) for kind in ("sql", "yaml")}


@pytest.mark.parametrize(("kind", "statements"), [(MySQL, BLOCKS["sql"][0]), (MariaDB, BLOCKS["sql"][1])])
def test_a_new_user_gets_to_a_verified_sync_by_the_page(
    kind: type[MySQL | MariaDB], statements: str, tmp_path: Path
) -> None:
    """MySQL is as it is after installing, with the certificate that it made for itself."""
    arguments: tuple[str, ...] = ()
    if kind is MariaDB:
        authority = new_authority(tmp_path / "authority")
        authority.sign("server", "/CN=db", "IP:127.0.0.1")
        tmp_path.chmod(0o755)
        arguments = authority.server_arguments("server")
    with kind(*arguments) as server:
        server.execute(
            "CREATE DATABASE shop",
            "CREATE TABLE shop.orders (id INT PRIMARY KEY, updated_at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP"
            " ON UPDATE CURRENT_TIMESTAMP, INDEX (updated_at))",
            "INSERT INTO shop.orders VALUES (1, '2025-01-01'), (2, '2025-01-02')",
            *filter(None, map(str.strip, statements.replace("'wmtui'", "'etl'").split(";"))),
        )
        (tmp_path / "lake").mkdir()
        # `wmtui` is the tests' administrator on these servers.
        configuration = BLOCKS["yaml"][0].replace("user: wmtui", f"user: etl, port: {server.port}")
        (tmp_path / "tables.yaml").write_text(configuration)

        def wmtui(*words: str) -> str:
            done = subprocess.run(
                [sys.executable, "-m", "wmtui", *words],
                cwd=tmp_path,
                env={**os.environ, "MYSQL_PASSWORD": "a long password"},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stdout

        wmtui("sync", "-t", "shop.orders")
        wmtui("verify", "-t", "shop.orders")
        checks = json.loads(wmtui("doctor", "-t", "shop.orders", "--json"))["findings"]
        assert [check for check in checks if check["level"] != "ok"] == []


def test_the_page_names_every_variable_that_a_session_sets() -> None:
    names = re.findall(r"(\w+) = ", session._SESSION)
    assert len(names) > 15
    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_the_page_names_every_error_that_has_advice() -> None:
    numbers = {*errors._ADVICE, *errors._NO_PRIVILEGE, *errors._NO_ANSWER}
    numbers |= {*errors._DENIED, *errors._WANTS_TLS, errors._TLS_FAILED}
    listed = {int(number) for row in re.findall(r"(?m)^\| ([\d, ]+) \|", PAGE) for number in row.split(",")}
    assert numbers - listed == set()
