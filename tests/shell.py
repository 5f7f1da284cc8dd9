"""An operator at a shell: commands as they are typed, on real servers and embedded."""

import shlex
from pathlib import Path
from typing import Any

import pytest

from tests import schemas
from tests.stack import Stack, embedded_stack, server_stack
from wmtui.cli.main import main

KINDS = ("servers", "embedded")


class Operator:
    """Types commands in the folder of a `tables.yaml` and reads what they print."""

    def __init__(self, stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
        self.stack = stack
        self._capsys = capsys
        self.out = ""
        self.err = ""

    def type(self, command: str, *, code: int = 0) -> str:
        """Run `wmtui …`, require the exit code, and return what it printed to stdout. T and U are the two tables."""
        names = {"T": str(self.stack.table("orders")), "U": str(self.stack.table("items"))}
        program, *arguments = [names.get(word, word) for word in shlex.split(command)]
        assert program == "wmtui"
        self._capsys.readouterr()
        found = main(["--config", str(self.stack.path), *arguments])
        self.out, self.err = self._capsys.readouterr()
        assert found == code, self.out + self.err
        return self.out

    def json(self, command: str, *, code: int = 0) -> Any:
        """The same with --json, read and held against its schema."""
        return schemas.read(self.type(f"{command} --json", code=code), command.split())


def new_operator(
    kind: str,
    request: pytest.FixtureRequest,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Operator:
    """An operator of a pipeline of one of the KINDS with two empty tables, orders (T) and items (U)."""
    if kind == "embedded":
        stack = embedded_stack(folder)
    else:
        stack = server_stack(folder, *(request.getfixturevalue(name) for name in ("source_db", "pg_db", "s3")))
    for name in ("orders", "items"):
        stack.create(name)
    stack.reload(items={})
    monkeypatch.setattr("wmtui.cli.invocation.utc_now", stack.clock)
    return Operator(stack, capsys)
