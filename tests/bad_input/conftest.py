"""Pipelines that hold something worth keeping, and everything that may go wrong with them."""

from pathlib import Path

import pytest

from tests.bad_input.refusals import PASSWORD, Refusals, folder_contents
from tests.servers.sources import on_servers
from tests.shell import KINDS, new_operator


@pytest.fixture
def refusals(
    kind: str,
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Refusals:
    """Orders (T) and items (U), each with rows that were synced; T has a new row since. Passwords come from the
    environment.
    """
    operator = new_operator(kind, request, tmp_path, capsys, monkeypatch)
    stack = operator.stack
    monkeypatch.setenv("DB_PASSWORD", PASSWORD)
    for part in ("source", "warehouse"):
        if "password" in stack.document["profiles"]["test"][part]:
            stack.document["profiles"]["test"][part]["password"] = "${DB_PASSWORD}"
    stack.reload()
    for name in ("orders", "items"):
        stack.insert((1, "1.50", "one", stack.ago(hours=2)), (2, None, "two", stack.ago(hours=1)), name=name)
    stack.sync("orders", "items")
    stack.insert((3, "3.50", "three", stack.ago(minutes=5)))
    if kind == "embedded":
        return Refusals(operator, lambda: folder_contents(tmp_path / "lake"), monkeypatch)
    s3 = request.getfixturevalue("s3")
    bucket = stack.document["profiles"]["test"]["store"].split("/")[2]

    def contents() -> dict[str, bytes]:
        return {key.removeprefix("lake/"): data for key, data in s3.contents(bucket).items()}

    return Refusals(operator, contents, monkeypatch)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Both kinds of pipeline, unless a test is marked for one; that on servers has each source server in turn."""
    if "kind" in metafunc.fixturenames:
        named = [mark.args[0] for mark in metafunc.definition.iter_markers("pipeline")]
        metafunc.parametrize("kind", on_servers(metafunc, named or KINDS))
