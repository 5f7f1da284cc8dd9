"""Failures: what, why and next on stderr, the right exit code, no traceback, no secret."""

from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Start, Wmtui
from tests.stack import Stack


def profile(stack: Stack, **changes: object) -> None:
    """Change the profile in tables.yaml."""
    stack.document["profiles"]["test"].update(changes)
    stack.path.write_text(yaml.safe_dump(stack.document))


def test_an_error_says_what_why_and_next(wmtui: Wmtui) -> None:
    found = wmtui("watermark", "list", "--config", "nowhere.yaml", "--json")

    what, why, next_step = found.err.splitlines()
    error = found.json["error"]
    assert (found.code, found.json["exit_code"], error["code"], error["kind"]) == (3, 3, "configuration", "usage")
    assert (what, why, next_step) == (f"wmtui: {error['what']}", f"  why: {error['why']}", f"  next: {error['next']}")
    assert what.startswith("wmtui: ")
    assert "nowhere.yaml" in what
    assert why.startswith("  why: ")
    assert next_step.startswith("  next: ")


def test_debug_adds_where_it_came_from(wmtui: Wmtui) -> None:
    found = wmtui("watermark", "list", "--config", "nowhere.yaml", "--debug")

    assert "Traceback" in found.err
    assert "ConfigError" in found.err


def test_an_unset_variable_is_named_with_file_and_line(wmtui: Wmtui, stack: Stack) -> None:
    profile(stack, timezone="${WMTUI_TEST_UNSET}")

    found = wmtui("status")

    assert found.code == 3
    assert "WMTUI_TEST_UNSET" in found.err
    assert "line " in found.err


def test_a_literal_password_is_warned_about_and_never_printed(wmtui: Wmtui, stack: Stack) -> None:
    server = {"type": "mysql", "host": "127.0.0.1", "port": 1, "user": "etl", "password": "s3cr3t-word"}
    profile(stack, source=server)

    found = wmtui("sync", "-t", "shop.orders", "--debug", "--json")

    assert found.code == 4
    assert "warning: " in found.err
    assert "the password is written out" in found.err
    assert "127.0.0.1" in found.err
    assert "s3cr3t-word" not in found.err + found.out


def test_a_store_that_cannot_be_written_is_4(wmtui: Wmtui, stack: Stack) -> None:
    (stack.path.parent / "file").write_text("")
    profile(stack, store=str(stack.path.parent / "file"))

    found = wmtui("watermark", "set", "-t", "shop.orders", "aug4")

    assert (found.code, found.out) == (4, "")
    assert "Traceback" not in found.err


def test_a_protected_profile_wants_its_name_and_a_reason(wmtui: Wmtui, stack: Stack) -> None:
    profile(stack, protected=True)
    change = ("watermark", "set", "-t", "shop.orders", "aug4")

    assert wmtui("watermark", "list").code == 3
    assert wmtui("watermark", "list", "--profile", "test").code == 0
    assert wmtui(*change, "--profile", "test").code == 2
    assert wmtui(*change, "--profile", "test", "--reason", "ticket 7").code == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (("--demo", "--profile", "x"), ["--demo", "--profile"]),
        (("--demo", "--config", "x"), ["--demo", "--config"]),
        (("--demo-reset",), ["--demo-reset goes with --demo"]),
        (("--demo-dir", "x"), ["--demo-dir goes with --demo"]),
        (("--log-file", "/nonexistent/log"), ["/nonexistent/log", "No such file"]),
        (("--foo",), ["No such option '--foo'", "wmtui status --help"]),
        (("--config",), ["--config"]),
    ],
)
def test_options_that_cannot_be_are_refused(wmtui: Wmtui, line: tuple[str, ...], words: list[str]) -> None:
    found = wmtui("status", *line)

    assert (found.code, found.out) == (2, "")
    assert [word for word in words if word not in found.err] == []


def test_the_log_file_gets_every_message_with_its_time(wmtui: Wmtui, tmp_path: Path) -> None:
    wmtui("sync", "-t", "shop.orders", "--quiet", "--log-file", "sync.log")
    wmtui("files", "-t", "nothing", "--log-file", "sync.log")

    log = (tmp_path / "sync.log").read_text()
    assert "Using session-based incremental Redshift loading" in log
    assert "Z INFO shop.orders: Found 1 files, filtered to 1 files for loading\n" in log
    assert "Z ERROR wmtui: unknown table 'nothing'\n" in log
    assert all(line[:2] == "20" for line in log.splitlines() if not line.startswith("  "))


def test_a_bug_is_called_one_without_showing_its_text(start: Start) -> None:
    script = "import wmtui.cli.main as m\ndef broken(argv): raise KeyError('s3cr3t-word')\nm.main = broken\nm.run()"

    for options, traceback in (["-c", script], False), (["-c", script, "--debug"], True):
        process = start(*options, python=())
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (1, "")
        assert "this is a bug in wmtui (KeyError)" in err
        assert ("Traceback" in err) is traceback
        assert ("s3cr3t-word" in err) is traceback


def test_a_reader_that_goes_away_ends_the_output_quietly(start: Start) -> None:
    process = start("watermark", "list", "--json")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()

    assert (process.wait(60), err) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_output_that_cannot_be_written_is_an_error(start: Start) -> None:
    with Path("/dev/full").open("w") as full:
        process = start("watermark", "list", "--json", stdout=full)
        _, err = process.communicate(timeout=60)

    assert process.returncode == 1
    assert "cannot write the output" in err
    assert "Traceback" not in err


def test_an_ascii_terminal_gets_escapes_and_no_error(start: Start) -> None:
    process = start("watermark", "list", PYTHONIOENCODING="ascii")
    out, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (0, "")
    assert "\\xb7 pending" in out
