"""A secret that is known reaches neither the terminal nor the log nor the store, wherever somebody typed it."""

from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Start, Wmtui
from tests.stack import Stack

SECRET = "hunter2/correct horse"
ENCODED = "hunter2%2Fcorrect%20horse"


def change_profile(stack: Stack, **changes: object) -> None:
    stack.document["profiles"]["test"].update(changes)
    stack.path.write_text(yaml.safe_dump(stack.document))


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment holds a secret."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


def stored(stack: Stack) -> str:
    """Everything in the store."""
    folder = stack.path.parent / "lake"
    return "".join(path.read_text(errors="replace") for path in folder.rglob("*") if path.is_file())


@pytest.mark.usefixtures("known")
def test_a_secret_typed_into_a_wrong_field_is_neither_shown_nor_stored(
    wmtui: Wmtui, stack: Stack, tmp_path: Path
) -> None:
    log = tmp_path / "wmtui.log"
    said = ""
    for line in (
        ("status", "-t", SECRET),
        ("watermark", "get", "-t", f"shop.{SECRET}"),
        ("files", "-t", ENCODED),
        ("sync", "-t", "shop.orders"),
        ("watermark", "set", "-t", "shop.orders", "--timestamp", "3h ago", "--reason", f"because {SECRET}"),
        ("watermark", "set", "-t", "shop.orders", "--timestamp", SECRET),
        ("watermark", "pin", "-t", "shop.orders", "--reason", ENCODED),
        ("sync", "-t", "shop.orders", "--batch", SECRET),
        ("sync", "-t", "shop.items", "--batch", SECRET),
        ("unlock", SECRET),
        ("--profile", SECRET, "status"),
        ("--config", SECRET, "status"),
        ("--frobnicate", SECRET),
        (SECRET,),
        ("watermark", "history", "-t", "shop.orders"),
        ("watermark", "history", "-t", "shop.orders", "--json"),
        ("watermark", "get", "-t", "shop.orders", "--json"),
        ("watermark", "get", "-t", "shop.orders"),
        ("store", "show"),
    ):
        found = wmtui(*line, "--log-file", str(log), "--debug")
        said += found.out + found.err
    for text in (said, log.read_text(), stored(stack)):
        assert "***" in text
        assert SECRET not in text
        assert ENCODED not in text


@pytest.mark.usefixtures("known")
def test_a_failure_that_quotes_a_secret_is_noted_without_it(
    wmtui: Wmtui, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    from wmtui.errors import SourceError

    def refuse(*_: object) -> None:
        raise SourceError("cannot read", f"the server said: {SECRET} is wrong")

    stack.patch_source(monkeypatch, "describe", refuse)
    found = wmtui("sync", "-t", "shop.orders", "--json", "--debug")
    assert "said: *** is wrong" in found.json["tables"][0]["error"]["why"]
    assert "said: *** is wrong" in str(stack.mark()["last_error"])
    assert SECRET not in found.out + found.err + stored(stack)


def test_a_traceback_of_a_bug_holds_no_secret(start: Start) -> None:
    program = (
        "import sys, wmtui.cli.main as m\n"
        f"def fail(*_): raise ZeroDivisionError({SECRET!r} + chr(27) + ']0;x' + chr(7))\n"
        "m.main = fail\n"
        "m.run()"
    )
    process = start("--debug", python=("-c", program), AWS_SECRET_ACCESS_KEY=SECRET)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "")
    assert "ZeroDivisionError: ***\\x1b]0;x\\x07" in err
    assert SECRET not in err


@pytest.mark.parametrize("name", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"])
@pytest.mark.parametrize("blank", ["\n", "\r\n", " ", "\t"])
def test_a_line_end_in_credentials_is_refused_by_the_name_of_the_variable(
    wmtui: Wmtui, stack: Stack, monkeypatch: pytest.MonkeyPatch, name: str, blank: str
) -> None:
    change_profile(stack, store="s3://lake/x", s3={"endpoint_url": "http://127.0.0.1:9"})
    monkeypatch.setenv(name, f"correct-horse{blank}")
    for line in (("doctor",), ("watermark", "get", "-t", "shop.orders", "--json", "--debug"), ("--run",)):
        found = wmtui(*line)
        assert found.code == 3
        assert f"environment variable {name} has" in found.err
        assert "correct-horse" not in found.out + found.err


@pytest.mark.parametrize("value", ["correct-horse\n", "correct\nhorse", " correct-horse", "correct-horse\t", "a\x1bb"])
def test_a_variable_with_a_line_end_is_refused_by_its_name(
    wmtui: Wmtui, stack: Stack, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    server = {"type": "mysql", "host": "127.0.0.1", "port": 1, "user": "etl", "password": "${WMTUI_TEST_WORD}"}
    change_profile(stack, source=server)
    monkeypatch.setenv("WMTUI_TEST_WORD", value)
    found = wmtui("sync", "-t", "shop.orders", "--debug", "--json")
    assert found.code == 3
    assert "environment variable WMTUI_TEST_WORD has a" in found.err
    assert value.strip() not in found.out + found.err


def test_a_written_password_with_a_line_end_is_refused(wmtui: Wmtui, stack: Stack) -> None:
    server = {"type": "mysql", "host": "127.0.0.1", "port": 1, "user": "etl", "password": "correct-horse\n"}
    change_profile(stack, source=server)
    found = wmtui("status")
    assert found.code == 3
    assert "password" in found.err
    assert "a line end" in found.err
    assert "correct-horse" not in found.err


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"store": "s3://lake", "s3": {"endpoint_url": "http://me:correct-horse@127.0.0.1:9"}}, "s3.endpoint_url"),
        ({"store": "s3://me:correct-horse@lake/prefix"}, "store"),
        (
            {"source": {"type": "mysql", "host": "me:correct-horse@db", "user": "me", "password": "x"}},
            "source.host",
        ),
    ],
)
def test_credentials_in_an_address_are_refused_and_not_shown(
    wmtui: Wmtui, stack: Stack, changes: dict[str, object], named: str
) -> None:
    change_profile(stack, **changes)
    for line in (("doctor",), ("status", "--json", "--debug")):
        found = wmtui(*line)
        assert found.code == 3
        assert f"{named} holds credentials" in found.err
        assert "correct-horse" not in found.out + found.err
