"""Ctrl-C and SIGTERM, to a process of its own.

The warehouse file is held by the test meanwhile, so that the sync waits where the test wants it.
"""

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pytest

from tests.cli.conftest import Start, Wmtui
from tests.stack import Stack, ago

SIGNALS = pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


@contextmanager
def held_warehouse(stack: Stack) -> Iterator[None]:
    """DuckDB lets one process in: this one, for now."""
    with duckdb.connect(stack.path.parent / "warehouse.duckdb"):
        yield


def synced_before(wmtui: Wmtui, stack: Stack) -> None:
    """What the targets look like is remembered, so that rows are read although the warehouse does not answer."""
    stack.insert((100, 1, "before", ago(minutes=30)), name="items")
    assert wmtui("sync", "-t", "shop.orders", "-t", "shop.items").code == 0
    stack.insert(*((number, 1, "news", ago(minutes=2)) for number in (11, 12, 13)))


def waiting_sync(start: Start) -> "subprocess.Popen[str]":
    """A sync that has extracted and is about to ask the warehouse."""
    process = start("--run", "--json", "-t", "shop.orders", "-t", "shop.items")
    assert process.stdout is not None
    assert any(json.loads(line).get("phase") == "selecting" for line in process.stdout)
    return process


def heard(process: "subprocess.Popen[str]") -> bool:
    """Wait until the process says that it was asked to stop."""
    assert process.stderr is not None
    return any("stopping between parts" in line for line in process.stderr)


@SIGNALS
def test_a_signal_stops_between_parts_and_the_next_run_continues(
    start: Start, stack: Stack, wmtui: Wmtui, number: signal.Signals, code: int
) -> None:
    synced_before(wmtui, stack)
    with held_warehouse(stack):
        process = waiting_sync(start)
        process.send_signal(number)
        assert heard(process)
    out, err = process.communicate(timeout=60)

    summary = json.loads(out.splitlines()[-1])
    assert process.returncode == summary["exit_code"] == code
    assert [table["status"] for table in summary["tables"]] == ["interrupted", "interrupted"]
    assert summary["tables"][0]["rows_extracted"] == 3
    assert "Traceback" not in err
    assert wmtui("--run").code == 0
    assert len(stack.warehouse_rows()) == 6


@SIGNALS
def test_a_second_signal_ends_it_at_once(
    start: Start, stack: Stack, wmtui: Wmtui, number: signal.Signals, code: int
) -> None:
    synced_before(wmtui, stack)
    with held_warehouse(stack):
        process = waiting_sync(start)
        process.send_signal(number)
        assert heard(process)
        process.send_signal(number)
        _, err = process.communicate(timeout=60)

    assert process.returncode == code
    assert "Traceback" not in err


def test_ctrl_c_at_a_question_is_130_without_a_traceback(wmtui: Wmtui, monkeypatch: pytest.MonkeyPatch) -> None:
    def press_ctrl_c(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("wmtui.cli.console.Console.interactive", True)
    monkeypatch.setattr("click.termui.visible_prompt_func", press_ctrl_c)

    found = wmtui("watermark", "reset", "-t", "shop.orders")

    assert (found.code, found.out) == (130, "")
    assert "Traceback" not in found.err
