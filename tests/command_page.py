"""`python -m tests.command_page`: print docs/commands.md from the commands themselves."""

from collections.abc import Iterator
from pathlib import Path

import click

from wmtui.cli.commands import root
from wmtui.cli.options import GlobalOption

PAGE = Path(__file__).parent.parent / "docs" / "commands.md"

_HEAD = """\
# Commands

What `wmtui --help` and `--help` of each command say, on one page; it is written from them. Which stream, which exit
code: [for scripts](scripts.md). What a command prints with `--json`: [JSON](json.md).

## Options of every command

They may stand anywhere on the line.

"""


def page() -> str:
    """The whole page."""
    everywhere = [option for option in root.params if isinstance(option, GlobalOption)]
    sections = "".join(_section(f"wmtui {name}", command) for name, command in commands())
    return _HEAD + _options(root, everywhere) + _section("wmtui", root) + sections


def commands(group: click.Group = root, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with its name as it is typed, in the order of the help."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


def _section(title: str, command: click.Command) -> str:
    about, _, examples = (command.epilog or "").partition("Examples:")
    assert about == "\b\n"
    typed = "\n".join(line.strip() for line in examples.strip().splitlines())
    own = [option for option in command.params if not isinstance(option, GlobalOption)]
    usage = " ".join((title, *command.collect_usage_pieces(click.Context(command))))
    text = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    return f"\n## {title}\n\n{text}\n\n```text\n{usage}\n```\n\n{_options(command, own)}\n```text\n{typed}\n```\n"


def _options(command: click.Command, options: list[click.Parameter]) -> str:
    context = click.Context(command)
    records = [record for option in options if (record := option.get_help_record(context))]
    lines = [f"| `{name.replace('|', '/')}` | {text} |\n" for name, text in records]
    return "| option | |\n|---|---|\n" + "".join(lines) if lines else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
