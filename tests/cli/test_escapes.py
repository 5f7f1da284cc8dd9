"""Nothing from outside reaches the terminal as a command to it, whatever prints it."""

import re
from pathlib import Path

import pytest

from tests.cli.conftest import Wmtui
from tests.stack import Stack
from wmtui.errors import SourceError
from wmtui.service import Author, Service
from wmtui.watermarks import lease

HOSTILE = "x\x1b]52;c;aGk=\x07\x1b]0;title\x07\x1b[2J\x9b1A\x7f\u202ey\r\nFORGED z"
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


@pytest.fixture
def hostile(stack: Stack) -> str:
    """A store with names, owners, reasons and errors that are meant for a terminal; the id of a lease."""
    folder = stack.path.parent / "lake" / "incremental" / "shop.orders"
    folder.mkdir(parents=True)
    for suffix in (".parquet", ".txt"):
        (folder / f"{HOSTILE.replace('/', '')}{suffix}").write_bytes(b"PAR1")
    service = Service(stack.service.workspace.settings, clock=stack.clock, author=Author(HOSTILE, HOSTILE))
    service.watermarks.set(stack.table(), "2h ago", reason=HOSTILE)
    service.pins.pin(stack.table(), reason=HOSTILE, until=None)
    service.workspace.watermarks.change(stack.table(), "failed", lambda _: {"last_error": HOSTILE, HOSTILE: HOSTILE})
    held, _ = lease.acquire(
        service.workspace.objects, stack.clock, service.workspace.author, stack.table("items"), "0198a4f3c0001a2b3c"
    )
    held.set_phase(HOSTILE, 12)
    held.renew()
    return "0198a4f3c0001a2b3c"


def test_no_command_lets_an_escape_through(wmtui: Wmtui, hostile: str, tmp_path: Path) -> None:
    log = tmp_path / "wmtui.log"
    shown = ""
    for line in (
        ("files", "-t", "shop.orders"),
        ("watermark", "get", "-t", "shop.orders"),
        ("watermark", "list"),
        ("watermark", "history", "-t", "shop.orders"),
        ("status",),
        ("sync", "-t", "shop.orders", "--dry-run"),
        ("sync", "-t", "shop.orders"),
        ("sync", "-t", "shop.items"),
        ("clean", "--dry-run"),
        ("doctor",),
        ("store", "show"),
        ("locks",),
        ("unlock", HOSTILE),
        ("unlock", hostile),
        ("unlock", hostile, "--yes"),
        ("watermark", "get", "-t", HOSTILE),
        ("watermark", "undo", "-t", "shop.orders", "--reason", HOSTILE),
        (HOSTILE,),
        (f"--{HOSTILE}",),
        ("--config", HOSTILE, "status"),
    ):
        found = wmtui(*line, "--debug", "--log-file", str(log))
        assert not CONTROL.search(found.out + found.err), line
        assert not re.search("^FORGED", found.out, re.MULTILINE), line
        shown += found.out + found.err
    assert not CONTROL.search(log.read_text())
    assert "\nFORGED" not in log.read_text()
    assert "\\x1b]52;c;aGk=\\x07" in shown


def test_json_is_exact_and_printable(wmtui: Wmtui, hostile: str, stack: Stack) -> None:
    for line in (("files", "-t", "shop.orders"), ("watermark", "get", "-t", "shop.orders"), ("locks",)):
        found = wmtui(*line, "--json")
        assert found.out.isascii()
        assert not CONTROL.search(found.out)
    (lock,) = wmtui("locks", "--json").json["locks"]
    assert (lock["id"], lock["owner"]) == (hostile, HOSTILE)
    assert stack.mark()["last_error"] == HOSTILE


def test_words_of_a_server_are_shown_without_their_escapes(
    wmtui: Wmtui, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise SourceError(HOSTILE, HOSTILE, HOSTILE)

    stack.patch_source(monkeypatch, "describe", refuse)
    for line in (("sync", "-t", "shop.orders"), ("status",), ("watermark", "list"), ("--run",)):
        found = wmtui(*line)
        assert not CONTROL.search(found.out + found.err), line
