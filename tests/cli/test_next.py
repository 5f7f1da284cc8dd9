"""What to type next: after a success at a terminal, and in place of a command that is not there."""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.cli.conftest import Wmtui
from wmtui.cli.commands import root
from wmtui.cli.invocation import Invocation
from wmtui.cli.next_step import next_command
from wmtui.cli.options import GlobalOptions

ORDERS = ("-t", "shop.orders")


def leaves(group: click.Group, words: str, context: click.Context) -> Iterator[str]:
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from leaves(command, f"{words} {name}", context)
        else:
            yield f"{words} {name}"


def test_every_command_knows_what_comes_next_and_that_is_a_command() -> None:
    context = click.Context(root, obj=Invocation())
    commands = set(leaves(root, "wmtui", context))
    asked = dict.fromkeys(("table", "dry_run", "backup_only", "redshift_only", "skipped", "write_off", "taken_back"))

    for command in commands:
        for tables in ([], ["shop.orders"]):
            following = next_command(command, {**asked, "tables": tables}, GlobalOptions())
            assert following is not None, command
            words = [word for word in following.split() if word not in ("-t", "shop.orders", "--dry-run")]
            assert " ".join(words) in commands, following


@pytest.mark.parametrize(
    ("line", "following"),
    [
        (("watermark", "set", *ORDERS, "aug4"), "wmtui sync -t shop.orders --dry-run"),
        (("sync", *ORDERS), "wmtui verify -t shop.orders"),
        (("sync", *ORDERS, "--backup-only"), "wmtui sync -t shop.orders --redshift-only"),
        (("--run", "--dry-run", "--config", "tables.yaml"), "wmtui --config tables.yaml --run"),
    ],
    ids=" ".join,
)
def test_a_success_ends_with_the_next_command_at_a_terminal(
    wmtui: Wmtui, monkeypatch: pytest.MonkeyPatch, line: tuple[str, ...], following: str
) -> None:
    assert "next: " not in wmtui(*line).err.replace("pin's next", "")
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    assert wmtui(*line).err.splitlines()[-1] == f"next: {following}"
    assert "next: " not in wmtui(*line, "--quiet").err
    assert "next: " not in wmtui(*line, "--json").err


def test_a_failure_has_no_other_next_than_its_own(wmtui: Wmtui, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    assert wmtui("files", "-t", "shop.ordres").err.count("next: ") == 1


def test_a_demo_goes_on_in_the_demo(tmp_path: Path) -> None:
    options = GlobalOptions(demo=True, demo_dir=tmp_path / "a folder")

    assert next_command("wmtui status", {}, options) == f"wmtui --demo --demo-dir '{tmp_path}/a folder' watermark list"


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("sinc", "did you mean `wmtui sync`?"),
        ("watermark sett", "did you mean `wmtui watermark set`?"),
        ("histroy", "did you mean `wmtui watermark history`?"),
        ("run", "did you mean `wmtui --run`?"),
        ("zzzzz", "see `wmtui --help`"),
        ("store shwo", "did you mean `wmtui store show`?"),
    ],
)
def test_a_mistyped_command_gets_the_nearest(wmtui: Wmtui, line: str, hint: str) -> None:
    found = wmtui(*line.split(), "--json")

    assert found.code == 2
    error = found.json["error"]
    assert (error["code"], error["next"]) == ("unknown-name", hint)
    assert error["what"] == f"no command `wmtui {line}`"
