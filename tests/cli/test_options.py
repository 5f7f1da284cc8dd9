"""Global options, help, and what the words of a command line mean."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.conftest import Wmtui
from tests.stack import Stack
from wmtui import config
from wmtui.config import Settings
from wmtui.model import Clock

COMMANDS = [
    [],
    ["watermark"],
    ["watermark", "get"],
    ["watermark", "set"],
    ["watermark", "reset"],
    ["watermark", "list"],
    ["sync"],
    ["--run"],
    ["files"],
    ["status"],
    ["doctor"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_explains_itself_with_examples(wmtui: Wmtui, command: list[str]) -> None:
    found = wmtui(*command, "--help")

    assert found.code == 0
    assert found.err == ""
    assert " ".join(["Usage: wmtui", *command]) in found.out
    examples = found.out.partition("Examples:\n")[2].splitlines()
    assert 2 <= len(examples) <= 6
    assert all("wmtui" in example for example in examples)
    assert found.out.count("--read-only") >= 1
    sections = [line for line in found.out.splitlines() if line.endswith(":") or line.startswith("Global options")]
    assert [title for title in sections if "ptions" in title] == ["Options:", "Global options, anywhere on the line:"]


@pytest.mark.parametrize("place", range(4))
def test_a_global_option_may_stand_anywhere(wmtui: Wmtui, place: int) -> None:
    words = ["watermark", "list"]
    line = [*words[:place], "--json", *words[place:]]

    assert [table["table"] for table in wmtui(*line).json["tables"]] == ["shop.orders", "shop.items"]


def test_global_options_before_and_after_are_merged(wmtui: Wmtui, stack: Stack) -> None:
    found = wmtui("--config", str(stack.path), "watermark", "--quiet", "get", "--json")

    assert (found.code, found.json, found.err) == (0, {"system_watermark": None}, "")


def test_of_an_option_given_twice_the_later_counts(wmtui: Wmtui) -> None:
    found = wmtui("--config", "missing.yaml", "watermark", "list", "--config", "tables.yaml")

    assert found.code == 0


def test_run_takes_options_on_both_sides(wmtui: Wmtui) -> None:
    before, after = wmtui("--dry-run", "--json", "--run"), wmtui("--run", "--dry-run", "--json")

    assert [t["table"] for t in before.json["tables"]] == [t["table"] for t in after.json["tables"]]
    assert [t["table"] for t in after.json["tables"]] == ["shop.orders", "shop.items"]


def test_the_version_is_shown(wmtui: Wmtui) -> None:
    found = wmtui("--version")

    assert found.code == 0
    assert found.out.startswith("wmtui ")


def test_without_a_command_and_a_terminal_there_is_a_hint(wmtui: Wmtui) -> None:
    found = wmtui()

    assert (found.code, found.out) == (2, "")
    assert "the screen needs a terminal" in found.err
    assert all(word in found.err for word in ("--help", "--screenshot"))


@pytest.mark.parametrize("point", ["-12m31s", "-3h", "- 3h", "3h ago", "aug4", "2025-08-04T00:00:00Z"])
@pytest.mark.parametrize("form", ["argument", "option", "option="])
def test_a_point_may_begin_with_a_dash(wmtui: Wmtui, point: str, form: str) -> None:
    words = {"argument": [point], "option": ["--timestamp", point], "option=": [f"--timestamp={point}"]}[form]

    found = wmtui("watermark", "set", "-t", "shop.orders", *words, "--json")

    assert found.code == 0, found.err
    assert found.json["backup_strategy"] == "manual_cli"


def test_a_mistyped_relative_point_is_called_a_bad_point(wmtui: Wmtui) -> None:
    found = wmtui("watermark", "set", "-t", "shop.orders", "-12x")

    assert found.code == 2
    assert "'-12x' is not a time" in found.err


def test_json_is_read_back_by_any_locale(wmtui: Wmtui) -> None:
    wmtui("watermark", "set", "-t", "shop.orders", "aug4", "--reason", "überprüft 你好")

    found = wmtui("watermark", "get", "-t", "shop.orders", "--json")

    assert found.out.isascii()
    assert json.loads(found.out)["metadata"]["change"]["reason"] == "überprüft 你好"


def test_the_demo_is_opened_where_asked_and_takes_any_command(
    wmtui: Wmtui, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = []

    def open_demo(directory: Path | None, reset: bool, progress: Callable[[str], None]) -> tuple[Settings, Clock]:
        opened.append((directory, reset))
        progress("making the sandbox")
        return config.load(stack.path), lambda: datetime(2025, 8, 14, 12, tzinfo=UTC)

    monkeypatch.setattr("wmtui.demo.open_demo", open_demo)

    change = ("watermark", "set", "-t", "shop.orders", "1day", "--json")
    found = wmtui("--demo", *change, "--demo-dir", "sandbox", "--demo-reset")

    assert opened == [(Path("sandbox"), True)]
    assert found.json["last_mysql_data_timestamp"] == "2025-08-13 12:00:00"
    assert "making the sandbox" in found.err
