"""The command line in this process and in one of its own, over an embedded pipeline."""

import io
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import schemas
from tests.stack import Stack, ago, embedded_stack
from wmtui.cli.main import main

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Outcome:
    """What a command left: its exit code and what it wrote."""

    code: int
    out: str
    err: str
    arguments: tuple[str, ...] = ()

    @property
    def json(self) -> Any:
        """The one JSON document on stdout, held against its schema; without its version."""
        return schemas.read(self.out, self.arguments)

    @property
    def lines(self) -> list[Any]:
        """JSON Lines on stdout, each held against its schema; without their version."""
        return schemas.read_lines(self.out)


Start = Callable[..., "subprocess.Popen[str]"]

Wmtui = Callable[..., Outcome]
"""Runs a command line in the folder of tables.yaml: arguments as `wmtui("watermark", "list")`."""


class Terminal(io.StringIO):
    """A stdin at which somebody sits."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """shop.orders with three rows an hour old, and shop.items with none; nothing was synced."""
    stack = embedded_stack(tmp_path)
    stack.reload(items={})
    stack.create()
    stack.create("items")
    stack.insert(*[(number, "9.50", f"note {number}", ago(minutes=60 - number)) for number in (1, 2, 3)])
    return stack


@pytest.fixture
def wmtui(stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Wmtui:
    """The command line in this process, without a terminal."""
    monkeypatch.chdir(stack.path.parent)
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    def run(*arguments: str) -> Outcome:
        capsys.readouterr()
        code = main(arguments)
        return Outcome(code, *capsys.readouterr(), arguments)

    return run


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Sits somebody down at the terminal who types this line."""
    return lambda line: monkeypatch.setattr(sys, "stdin", Terminal(f"{line}\n"))


@pytest.fixture
def start(stack: Stack) -> Iterator[Start]:
    """Starts the command line in a process of its own; what still runs at the end is killed.

    stdout, stderr: other than pipes. python: Python's own arguments. Further ones are environment variables.
    """
    started = []

    def popen(
        *arguments: str,
        stdout: Any = subprocess.PIPE,
        stderr: Any = subprocess.PIPE,
        python: Sequence[str] = ("-m", "wmtui"),
        **environment: str,
    ) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, *python, *arguments],
            cwd=stack.path.parent,
            env={**os.environ, "PYTHONPATH": str(ROOT), **environment},
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
        )
        started.append(process)
        return process

    yield popen
    for process in started:
        with process:
            process.kill()
