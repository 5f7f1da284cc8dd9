"""Progress and tables: live at a terminal, plain lines in a pipe."""

import os
import pty
import re
from pathlib import Path

import pytest

from tests.cli.conftest import Start, Wmtui
from wmtui.cli.console import Console
from wmtui.cli.progress import PlainDisplay
from wmtui.events import Phase, Progress

ESCAPE = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class HandTime:
    """Monotonic seconds that the test moves."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_plain_progress_is_a_line_every_few_seconds_per_table(capsys: pytest.CaptureFixture[str]) -> None:
    time = HandTime()
    display = PlainDisplay(Console(), time)

    for second in range(12):
        time.now = 100.0 + second
        for table in ("shop.orders", "shop.items"):
            display.show(Progress(table, Phase.EXTRACTING, rows=second * 1000, parts=second))

    assert capsys.readouterr().err.splitlines() == [
        "shop.orders: extracting, 5,000 rows (1,000/s), 5 parts, 5 s",
        "shop.items: extracting, 5,000 rows (1,000/s), 5 parts, 5 s",
        "shop.orders: extracting, 10,000 rows (1,000/s), 10 parts, 10 s",
        "shop.items: extracting, 10,000 rows (1,000/s), 10 parts, 10 s",
    ]


def test_the_rate_counts_from_the_beginning_of_the_phase(capsys: pytest.CaptureFixture[str]) -> None:
    time = HandTime()
    display = PlainDisplay(Console(), time)
    display.show(Progress("shop.orders", Phase.EXTRACTING))
    time.now += 4
    display.show(Progress("shop.orders", Phase.STAGING, files=9))
    time.now += 2
    display.show(Progress("shop.orders", Phase.STAGING, rows=500, parts=3, files=9))

    assert capsys.readouterr().err == "shop.orders: staging, 500 rows (250/s), 3 of 9 files, 6 s\n"


def at_terminal(start: Start, *line: str, **environment: str) -> str:
    """Everything a command shows at a terminal of 120 columns."""
    ours, theirs = pty.openpty()
    process = start(*line, stdout=theirs, stderr=theirs, **{"COLUMNS": "120", "TERM": "xterm", **environment})
    os.close(theirs)
    shown = b""
    try:
        while chunk := os.read(ours, 4096):
            shown += chunk
    except OSError:  # what Linux says when the other end is closed
        pass
    os.close(ours)
    assert process.wait(60) == 0
    return shown.decode()


def test_at_a_terminal_a_sync_is_live_and_gives_the_cursor_back(start: Start) -> None:
    shown = at_terminal(start, "sync", "-t", "shop.orders")

    assert shown.rindex("\x1b[?25h") > shown.rindex("\x1b[?25l")
    assert "rows/s" in shown
    text = ESCAPE.sub("", shown)
    assert "shop.orders: Found 1 files, filtered to 1 files for loading" in text
    assert "files written" in text


@pytest.mark.parametrize(
    ("environment", "escapes"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colour_is_for_terminals_that_want_it(start: Start, environment: dict[str, str], escapes: bool) -> None:
    shown = at_terminal(start, "doctor", **environment)

    assert "✓ ok" in shown.replace("\N{NO-BREAK SPACE}", " ")
    assert ("\x1b[32m" in shown) is escapes


def test_a_dumb_terminal_gets_plain_lines(start: Start) -> None:
    shown = at_terminal(start, "sync", "-t", "shop.orders", TERM="dumb")

    assert "\x1b" not in shown
    assert "shop.orders: success, 3 rows extracted into 1 file, 3 rows loaded from 1 file" in shown


def test_a_pipe_gets_whole_cells_without_colour_or_boxes(wmtui: Wmtui) -> None:
    wmtui("sync", "-t", "shop.orders")

    for command in (["watermark", "list"], ["files", "-t", "shop.orders"], ["status"], ["doctor"]):
        out = wmtui(*command).out
        assert "\x1b" not in out
        assert not set(out) & set("│─━…")


def test_names_are_never_read_as_markup(start: Start, tmp_path: Path) -> None:
    key = "[bold]x[/nonsense].parquet"
    folder = tmp_path / "lake/incremental/shop.orders"
    (folder / "[bold]x[").mkdir(parents=True)
    (folder / key).write_bytes(b"PAR1")

    assert key in re.sub(r"\s+", "", ESCAPE.sub("", at_terminal(start, "files", "-t", "shop.orders", COLUMNS="400")))
