"""The real program at a real terminal, on the demo and on a pipeline of its own."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import Stack
from tests.tui.terminal import Terminal

ENTER, ESCAPE, TAB, DOWN = "\r", "\x1b", "\t", "\x1b[B"


@pytest.fixture
def folder(stack: Stack) -> Path:
    """The folder of a pipeline by the host's clock."""
    return stack.path.parent


def test_the_demo_leads_from_a_table_that_loads_nothing_through_why_edit_sync_and_undo(tmp_path: Path) -> None:
    environment = {"XDG_CACHE_HOME": str(tmp_path)}
    with Terminal(program=("-m", "wmtui.demo"), cwd=tmp_path, environment=environment) as terminal:
        terminal.see(
            "36 tables", "✗ held back", "demo 1/5", "Press f", "2 settlement.settlement_normal_delivery_detail"
        )
        terminal.send("f")
        terminal.see("demo 2/5", "too old")
        terminal.send("e")
        terminal.see("lets files in")
        terminal.send(DOWN)
        terminal.send(ENTER)
        terminal.see("+3 files, 745.8 kB, 27,312 rows")
        terminal.send(ENTER)
        terminal.see("demo 3/5", "Files 3/3")
        terminal.send("s")
        terminal.see("Redshift only", "loads 3 files of 3")
        terminal.send(ENTER)
        terminal.see("demo 4/5", "27,312 loaded")
        terminal.send("u")
        terminal.see("Undo “set”")
        terminal.send(TAB)
        terminal.send(ENTER)
        terminal.see("demo 5/5", "Files 0/3")
        terminal.send("q")
        assert terminal.end() == 0
        assert terminal.restored


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_terminal_is_restored_when_the_program_is_told_to_end(
    folder: Path, number: signal.Signals, code: int
) -> None:
    with Terminal(cwd=folder) as terminal:
        terminal.see("1 Tables", "shop.orders", "✓ ok")
        terminal.process.send_signal(number)
        assert terminal.end() == code
        assert terminal.restored


def test_ctrl_c_leaves_and_restores_the_terminal(folder: Path) -> None:
    with Terminal(cwd=folder) as terminal:
        terminal.see("✓ ok")
        terminal.send("\x03")
        assert terminal.end() == 0
        assert terminal.restored


def test_a_configuration_that_is_wrong_is_told_before_the_screen_opens(folder: Path) -> None:
    (folder / "tables.yaml").write_text("version: 1\nnonsense: true\n")
    with Terminal(cwd=folder) as terminal:
        assert terminal.end() == 3
        assert "nonsense" in terminal.text
        assert b"\x1b[?1049h" not in terminal.output


def test_the_screen_fits_every_size_it_is_given(folder: Path) -> None:
    with Terminal(cwd=folder, size=(80, 24)) as terminal:
        terminal.see("1 Tables", "2 shop.orders", "3 Sync log", "s Sync")
        terminal.resize(200, 60)
        terminal.see("Last success", "Redshift")
        terminal.resize(80, 24)
        terminal.miss("Last success")
        terminal.see("1 Tables", "3 Sync log", "s Sync")
        terminal.resize(40, 10)
        terminal.resize(120, 40)
        terminal.see("1 Tables", "3 Sync log", "s Sync")


def test_the_mouse_selects_opens_and_presses(folder: Path) -> None:
    with Terminal(cwd=folder) as terminal:
        terminal.see("shop.items", "✓ ok")
        lines = terminal.text.splitlines()
        row = next(i for i, line in enumerate(lines) if "shop.items" in line)
        terminal.click(5, row)
        terminal.see("2 shop.items", "Files 0/0")
        lines = terminal.text.splitlines()
        tabs = next(i for i, line in enumerate(lines) if "[Watermark]" in line)
        terminal.click(lines[tabs].index("History"), tabs)
        terminal.see("[History]")
        terminal.calm()
        lines = terminal.text.splitlines()
        footer = len(lines) - 1
        terminal.click(lines[footer].index("Edit"), footer)
        terminal.see("Edit the watermark of shop.items")
        terminal.calm()
        box = terminal.text.splitlines()
        at = next(i for i, line in enumerate(box) if "Cancel" in line)
        terminal.click(box[at].index("Cancel") + 2, at)
        terminal.miss("Edit the watermark")


def test_a_key_repaints_what_changed_and_not_the_screen(folder: Path) -> None:
    with Terminal(cwd=folder) as terminal:
        terminal.see("✓ ok")
        terminal.calm()
        terminal.resize(121, 40)
        before = terminal.calm()
        terminal.resize(120, 40)
        whole = terminal.calm() - before
        before = len(terminal.output)
        terminal.send("3")
        assert 0 < terminal.calm() - before < whole / 2
        terminal.send("1")
        before = terminal.calm()
        terminal.send("j")
        terminal.see("2 shop.items")
        assert 0 < terminal.calm() - before < whole / 2


def test_without_colours_what_has_the_focus_and_what_is_wrong_can_still_be_seen(folder: Path) -> None:
    with Terminal(cwd=folder, environment={"NO_COLOR": "1"}) as terminal:
        terminal.see("┏━ 1 Tables", "╭─ 3 Sync log", "✗ never synced", "✓ ok")
        assert not [code for code in (b"\x1b[31m", b"38;2;240;136;62") if code in terminal.output]


def test_in_ascii_mode_and_in_a_locale_without_glyphs_nothing_else_is_written(folder: Path) -> None:
    for arguments, environment in ((["--ascii"], {}), ([], {"PYTHONIOENCODING": "ascii:replace"})):
        with Terminal(*arguments, cwd=folder, environment=environment) as terminal:
            terminal.see("+- 1 Tables", "x never synced", "+ ok")
            terminal.send("?")
            terminal.see("Keys")
            terminal.send(ESCAPE)
            terminal.miss("Keys")
            terminal.send("f")
            terminal.see("too old")
            assert terminal.output.isascii()


def test_a_terminal_that_vanishes_ends_the_program(folder: Path) -> None:
    terminal = Terminal(cwd=folder)
    terminal.see("✓ ok")
    os.close(terminal._theirs)
    os.close(terminal._ours)
    terminal.process.send_signal(signal.SIGHUP)
    assert terminal.process.wait(30) in (129, 1)


def test_a_pipe_gets_an_error_and_no_screen(folder: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-m", "wmtui"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert (found.returncode, found.stdout) == (2, "")
    assert "the screen needs a terminal" in found.stderr
