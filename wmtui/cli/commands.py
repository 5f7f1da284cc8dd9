"""The tree of commands."""

import click

from wmtui.cli.clean import clean
from wmtui.cli.doctor import doctor
from wmtui.cli.files import files
from wmtui.cli.history import history, undo
from wmtui.cli.locks import locks, unlock
from wmtui.cli.options import Group
from wmtui.cli.pin import pin, unpin
from wmtui.cli.status import status
from wmtui.cli.sync import run, sync
from wmtui.cli.verify import verify
from wmtui.cli.watermark import watermark
from wmtui.errors import UsageError

RUN = "--run"
"""Written as an option, for cron lines; it is a command of that name, which takes the options of `sync`."""


class _Root(Group):
    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if RUN in args:
            args = ["--", RUN, *(argument for argument in args if argument != RUN)]
        return super().parse_args(ctx, args)


@click.group(
    cls=_Root,
    invoke_without_command=True,
    examples=[
        "wmtui watermark list",
        "wmtui sync -t shop.orders --dry-run",
        "wmtui --profile prod --run --json",
        "wmtui --demo status",
    ],
)
@click.version_option(package_name="wmtui", message="%(prog)s %(version)s")
@click.pass_context
def root(context: click.Context) -> None:
    """See, edit and trust the watermark of every table between MySQL, S3 and the warehouse."""
    if context.invoked_subcommand is None:
        raise UsageError("which command?", f"there are {', '.join(root.commands)}", "see `wmtui --help`")


for of_watermark in (history, undo, pin, unpin):
    watermark.add_command(of_watermark)
for command in (watermark, sync, files, status, verify, doctor, locks, unlock, clean):
    root.add_command(command)
root.add_command(run, RUN)
