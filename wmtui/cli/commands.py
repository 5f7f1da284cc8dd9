"""The tree of commands."""

from importlib import import_module
from pathlib import Path
from typing import Any

import click

from wmtui.cli.options import Group
from wmtui.cli.screen import Size, open_screen, save_picture
from wmtui.errors import ExitCode, UsageError

RUN = "--run"
"""Written as an option, for cron lines; it is a command of that name, which takes the options of `sync`."""
_COMMANDS = {
    "accept": ("accept", "Let a table go on loading into its target as both are now; needs --reason."),
    "clean": ("clean", "Remove parts that no load will ever take; without -t also the store's forgotten objects."),
    "doctor": ("doctor", "Check store, source and warehouse; with -t also the table's key, cursor and size."),
    "files": ("files", "Show every file of a table with its verdict: loaded next or not, and why."),
    "locks": ("locks", "Show the leases of live runs, and of dead ones that no run has taken over yet."),
    RUN: ("sync:run", "Sync every table, for cron; tables with a manual watermark are only loaded."),
    "status": ("status", "Show how every table is; exit 1 if the state of a table is an error (✗)."),
    "store": ("store", "Show or accept whose store this is."),
    "sync": ("sync", "Extract what is new in the source, and load it into the warehouse."),
    "unlock": (
        "locks:unlock",
        "Break the lease of this id, as `wmtui locks` shows it; a run that still holds it stops.",
    ),
    "verify": ("verify", "Compare the warehouse with the source, row by row, up to the watermark's position."),
    "watermark": ("watermark", "Look at watermarks and move them."),
}
"""Where each command is, below `wmtui.cli`: the module, and the name in it where that is another; and the first
sentence of its help, so that the list of commands imports none of them.
"""


class _Root(Group):
    """Imports the command that is asked for; the others cost no time."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Every command with the beginning of its help."""
        width = formatter.width - 6 - max(map(len, _COMMANDS))
        rows = [
            (name, click.Command(name, help=about).get_short_help_str(width))
            for name, (_, about) in sorted(_COMMANDS.items())
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module, _, own_name = _COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(import_module(f"wmtui.cli.{module}"), own_name or module)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if RUN in args:
            args = ["--", RUN, *(argument for argument in args if argument != RUN)]
        return super().parse_args(ctx, args)


@click.group(
    cls=_Root,
    invoke_without_command=True,
    examples=[
        "wmtui",
        "wmtui --screenshot status.png --size 160x50",
        "wmtui watermark list",
        "wmtui sync -t shop.orders --dry-run",
        "wmtui --profile prod --run --json",
        "wmtui --demo status",
    ],
)
@click.version_option(package_name="wmtui", message="%(prog)s %(version)s")
@click.option("--screenshot", type=click.Path(path_type=Path), metavar="FILE", help="Save a picture: .svg or .png.")
@click.option("--size", type=Size(), metavar="COLSxLINES", help="Size of the picture (default: 120x40).")
@click.option("-t", "--table", metavar="SCHEMA.TABLE", help="The table that screen or picture begin with.")
@click.option("--theme", metavar="NAME", help="Theme of screen or picture.")
@click.option("--ascii", "ascii_only", is_flag=True, help="Draw screen or picture with ASCII characters only.")
@click.pass_context
def root(context: click.Context, /, screenshot: Path | None, size: tuple[int, int] | None, **shown: Any) -> int:
    """See, edit and trust the watermark of every table between MySQL, S3 and the warehouse.

    Without a command it opens the screen.
    """
    if context.invoked_subcommand is not None:
        given = {"--screenshot": screenshot, "--size": size, "--theme": shown["theme"], "-t": shown["table"]}
        for name, value in given.items():
            if value is not None:
                raise UsageError(f"{name} goes without a command", "it is about the screen", f"leave {name} out")
        return ExitCode.DONE
    if screenshot is not None:
        return save_picture(context.obj, screenshot, size or (120, 40), **shown)
    if size is not None:
        raise UsageError("--size goes with --screenshot", "the screen is as large as the terminal", "leave it out")
    return open_screen(context.obj, **shown)
