"""What a command imports: cron starts wmtui every few minutes."""

import click
import pytest

from tests.cli.conftest import Start
from wmtui.cli.commands import root

HEAVY = {"_mysql_connector", "boto3", "botocore", "duckdb", "mysql", "psycopg", "pyarrow", "rich", "ssl", "textual"}

SCRIPT = """
import sys
from wmtui.cli.main import main
code = main(sys.argv[1:])
print(code, *sys.modules, file=sys.stderr)
"""


def modules_of(start: Start, *arguments: str) -> set[str]:
    """Every module that a command has loaded by its end."""
    process = start(*arguments, python=("-c", SCRIPT))
    _, err = process.communicate(timeout=60)
    code, *modules = err.split()
    assert code == "0"
    assert "wmtui.cli.main" in modules
    return set(modules)


def test_reading_a_watermark_loads_no_heavy_library(start: Start) -> None:
    modules = modules_of(start, "watermark", "get", "-t", "shop.orders", "--json")

    assert HEAVY & modules == set()
    assert {name for name in modules if name.startswith(("wmtui.files", "wmtui.pipeline", "wmtui.verify"))} == set()


def test_help_loads_no_command_and_no_heavy_library(start: Start) -> None:
    modules = modules_of(start, "--help")

    assert HEAVY & modules == set()
    assert {"wmtui.cli.sync", "wmtui.cli.watermark", "wmtui.cli.verify"} & modules == set()


@pytest.mark.parametrize("name", root.list_commands(click.Context(root)))
def test_the_list_of_commands_says_of_each_what_its_own_help_begins_with(name: str) -> None:
    context = click.Context(root)
    command = root.get_command(context, name)
    assert command is not None
    formatter = context.make_formatter()
    root.format_commands(context, formatter)
    width = formatter.width - 6 - max(map(len, root.list_commands(context)))

    assert f"{name:<9}  {command.get_short_help_str(width)}" in formatter.getvalue()
