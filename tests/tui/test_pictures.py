"""Pictures for incident reviews, from the command line and by f12."""

import os
import re
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT, Outcome
from tests.stack import Stack
from tests.tui.conftest import Open
from wmtui.cli.main import main
from wmtui.tui.app import WmtuiApp
from wmtui.tui.image_file import portable
from wmtui.tui.screenshot import Screenshot

PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture
def failed(stack: Stack) -> Stack:
    """The last table of the list failed."""
    stack.source("DROP TABLE shop.lines")
    stack.sync("lines")
    return stack


Shot = Callable[..., Outcome]


@pytest.fixture
def shot(stack: Stack, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Shot:
    """The command line with the stack's configuration, in this process, which it must not end at once."""
    monkeypatch.setattr("wmtui.cli.screen.os._exit", lambda _: None)

    def run(*arguments: str) -> Outcome:
        return Outcome(main(["--config", str(stack.path), *arguments]), *capsys.readouterr())

    return run


def words(svg: str) -> str:
    return svg.replace("&#160;", " ").replace("&nbsp;", " ")


def test_a_picture_has_profile_host_and_time_in_it_and_what_failed_first(
    failed: Stack, shot: Shot, own_folder: Path
) -> None:
    assert failed
    found = shot("--screenshot", "status.svg")

    assert (found.code, found.out) == (0, ""), found.err
    assert "saved status.svg" in found.err
    svg = words((own_folder / "status.svg").read_text())
    for word in ("test", socket.gethostname(), "UTC", "1 failed", "shop.lines", "shop.orders"):
        assert word in svg
    assert re.search(r"seen \d s ago", svg)
    assert svg.index("shop.lines") < svg.index("shop.orders")
    assert "http" not in svg.replace("http://www.w3.org", "").replace("https://www.textualize.io", "")


def test_a_picture_waits_for_what_it_shows_however_long_the_first_frame_takes(
    shot: Shot, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = WmtuiApp._begin
    monkeypatch.setattr(WmtuiApp, "_begin", lambda self: self.set_timer(0.5, lambda: begin(self)))
    assert shot("--screenshot", "status.svg").code == 0
    assert "3 tables" in words((own_folder / "status.svg").read_text())
    assert re.search(r"seen \d s ago", words((own_folder / "status.svg").read_text()))


def test_a_picture_waits_when_the_reading_begins_again(
    shot: Shot, own_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, taken = Screenshot._take, []

    def disturbed(self: Screenshot) -> None:
        pane = self._shell.main.detail_pane
        if not taken:
            pane.table = pane.detail = None
            self._shell.read_detail()
            pane._draw()
        taken.append(self)
        take(self)

    monkeypatch.setattr(Screenshot, "_take", disturbed)
    assert shot("--screenshot", "status.svg").code == 0
    assert len(taken) == 2
    assert "data up to" in words((own_folder / "status.svg").read_text())


def test_six_pictures_at_once_are_all_whole(stack: Stack, own_folder: Path) -> None:
    command = [sys.executable, "-m", "wmtui", "--config", str(stack.path), "--screenshot"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = [subprocess.Popen([*command, f"{number}.svg"], cwd=own_folder, env=environment) for number in range(6)]
    assert [process.wait(100) for process in started] == [0] * 6
    for number in range(6):
        svg = words((own_folder / f"{number}.svg").read_text())
        for word in ("3 tables", "shop.lines", "data up to", "last success", "never synced"):
            assert word in svg, (number, word)


def test_a_png_needs_no_font_of_the_machine_and_is_as_large_as_asked_for(shot: Shot, own_folder: Path) -> None:
    assert shot("--screenshot", "small.png", "--size", "80x24").code == 0
    assert shot("--screenshot", "large.png", "--size", "200x60", "-t", "shop.items").code == 0

    sizes = []
    for name in ("small.png", "large.png"):
        data = (own_folder / name).read_bytes()
        assert data.startswith(PNG)
        assert len(data) > 20_000, "text was drawn"
        sizes.append(struct.unpack(">II", data[16:24]))
    assert sizes[1][0] > 2 * sizes[0][0]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--screenshot", "status.gif"], 2, "its name ends in neither .svg nor .png"),
        (["--screenshot", "no/such/folder/status.svg"], 2, "cannot write"),
        (["--screenshot", "status.svg", "--size", "huge"], 2, "is not a size"),
        (["--screenshot", "status.svg", "--size", "10x10"], 2, "80x24"),
        (["--screenshot", "status.svg", "--theme", "none"], 3, "no theme 'none'"),
        (["--screenshot", "status.svg", "-t", "shop.order"], 2, "shop.orders"),
        (["--size", "80x24"], 2, "--size goes with --screenshot"),
        (["--screenshot", "status.svg", "status"], 2, "without a command"),
    ],
)
def test_what_cannot_be_pictured_is_refused_and_nothing_is_written(
    shot: Shot, own_folder: Path, arguments: list[str], code: int, said: str
) -> None:
    before = set(own_folder.rglob("*.*"))
    found = shot(*arguments)

    assert (found.code, found.out) == (code, "")
    assert said in found.err
    assert set(own_folder.rglob("*.svg")) | set(own_folder.rglob("*.gif")) <= before


def test_a_store_that_cannot_be_read_makes_no_picture(shot: Shot, stack: Stack, own_folder: Path) -> None:
    (stack.path.parent / "lake").rename(stack.path.parent / "gone")
    found = shot("--screenshot", "status.svg")

    assert found.code != 0
    assert "lake" in found.err
    assert not (own_folder / "status.svg").exists()


def test_no_secret_is_in_a_picture(shot: Shot, stack: Stack, own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "hunter2")
    stack.document["profiles"]["test"]["source"] = {
        "type": "mysql", "host": "127.0.0.1", "port": 1, "user": "u", "password": "${SECRET}",
    }  # fmt: skip
    stack.reload()
    assert shot("--screenshot", "status.svg").code == 0
    assert "hunter2" not in (own_folder / "status.svg").read_text()


async def test_f12_saves_what_is_shown_twice_named_by_profile_and_time(open_screen: Open, own_folder: Path) -> None:
    async with open_screen() as screen:
        await screen.press("f", "f12")
        await screen.see("saved ")
        await screen.until(lambda: len(list(own_folder.glob("wmtui-test-*"))) == 2)
        svg, png = sorted(own_folder.glob("wmtui-test-*"), key=lambda path: path.suffix, reverse=True)
        assert png.read_bytes().startswith(PNG)
        assert "too old" in words(svg.read_text()).replace(" ", " ")


def test_a_picture_names_fonts_and_loads_none() -> None:
    svg = portable(
        "<style>@font-face { src: url('https://x/y') } .a { font-family: Fira Code; font-family: arial }</style>"
    )

    assert "url(" not in svg
    assert "Fira" not in svg
