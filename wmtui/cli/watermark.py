"""`wmtui watermark`: look at watermarks and move them."""

import click

from wmtui.cli.document import read_document
from wmtui.cli.history import history, undo
from wmtui.cli.invocation import Invocation, pass_invocation
from wmtui.cli.options import Command, Group, table_option
from wmtui.cli.pin import pin, unpin
from wmtui.cli.table import show_table
from wmtui.cli.watermark_output import show_consequence
from wmtui.errors import ConfirmationNeeded, ExitCode, UsageError, combine
from wmtui.texts import count
from wmtui.words import values, watermarks

_FRESH_START = "a fresh start: every table without a watermark of its own is read and loaded from there"


class _PointCommand(Command):
    """A command with a point in time among its arguments, which may be relative: `-12m31s`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """No option begins with a digit: a blank in front, which points do not mind, tells click so."""
        return super().parse_args(ctx, [f" {a}" if a[:1] == "-" and a[1:].lstrip()[:1].isdigit() else a for a in args])


@click.group(cls=Group, examples=["wmtui watermark list", "wmtui watermark get -t shop.orders"])
def watermark() -> None:
    """Look at watermarks and move them."""


for of_watermark in (history, undo, pin, unpin):
    watermark.add_command(of_watermark)


@watermark.command(
    examples=[
        "wmtui watermark get -t shop.orders",
        "wmtui watermark get -t shop.orders --show-files --json",
        "wmtui watermark get",
    ]
)
@table_option
@click.option("--show-files", is_flag=True, help="Add the files that were loaded.")
@pass_invocation
def get(invocation: Invocation, table: str | None, show_files: bool) -> None:
    """Show a table's watermark; without -t the system watermark."""
    if table is None:
        if show_files:
            raise UsageError("--show-files goes with -t", "files belong to a table", "name one: -t schema.table")
        _show_system(invocation)
        return
    service, console = invocation.service, invocation.console
    mark = service.watermarks.get(service.table(table))
    files = None
    if show_files:
        from wmtui.cli.watermark_view import loaded_files

        files = loaded_files(service.files.select(mark.table))
    if invocation.options.json:
        console.json({**mark.fields, **({} if files is None else {"processed_s3_files": files})})
        return
    console.data(*watermarks.document(mark, service.workspace.clock(), service.workspace.zone))
    if files is not None:
        console.data("", f"{count(len(files), 'file')} loaded in epoch {mark.epoch}")
        show_table(console, ("loaded at", "load", "key"), [(f["loaded_at"], f["load_id"], f["key"]) for f in files])


@watermark.command(
    "set",
    cls=_PointCommand,
    examples=[
        'wmtui watermark set -t shop.orders --timestamp "2025-08-09 19:47:29"',
        "wmtui watermark set -t shop.orders --timestamp -12m31s",
        "wmtui watermark get -t shop.orders --json | wmtui watermark set -t shop.orders --from-file -",
        "wmtui watermark set aug4 --force",
    ],
)
@table_option
@click.option("--timestamp", metavar="TS", help="The point: a time, a preset, `3h ago` or -3h. Needs -t.")
@click.option("--from-file", metavar="FILE", help="A document that `get --json` printed; - for stdin. Needs -t.")
@click.argument("point", required=False, metavar="[PRESET|TS]")
@pass_invocation
def set_(
    invocation: Invocation, table: str | None, timestamp: str | None, from_file: str | None, point: str | None
) -> None:
    """Place a table's watermark by hand; without -t the system watermark.

    TS is YYYY-MM-DD, YYYY-MM-DD HH:MM:SS, ISO 8601 with a zone, -12m31s or `3h ago`; PRESET is aug4, 1day, 1week or
    another of tables.yaml.
    """
    places = {"--timestamp": timestamp, "--from-file": from_file, "PRESET|TS": point}
    given = [name for name, value in places.items() if value is not None]
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} exclude each other", "each says where to", "leave one of them out")
    if not given:
        raise UsageError("set to what?", "no point was given", "add --timestamp TS, a preset, or --from-file FILE")
    if table is None:
        if point is None:
            raise UsageError(
                f"{given[0]} goes with -t", "it is about one table", "add -t schema.table, or give PRESET|TS alone"
            )
        _move_system(invocation, point, "where every table without one of its own begins")
        return
    options, watermarks = invocation.options, invocation.service.watermarks
    name = invocation.service.table(table)
    if from_file is not None:
        changed = watermarks.import_document(name, read_document(from_file), force=options.force, reason=options.reason)
    else:
        changed = watermarks.set(name, point or timestamp or "", force=options.force, reason=options.reason)
    show_consequence(invocation, changed)


@watermark.command(
    cls=_PointCommand,
    examples=["wmtui watermark reset -t shop.orders", "wmtui watermark reset 1week --force"],
)
@table_option
@click.argument("point", required=False, metavar="[PRESET]")
@pass_invocation
def reset(invocation: Invocation, table: str | None, point: str | None) -> None:
    """Make a table new again; with PRESET move the system watermark for a fresh start."""
    if table is not None and point is not None:
        raise UsageError(
            "-t and PRESET exclude each other",
            "a reset table starts from the beginning or the system watermark",
            "leave PRESET out, or use `wmtui watermark set -t` to start from a point",
        )
    if point is not None:
        _move_system(invocation, point, _FRESH_START)
        return
    name = invocation.table(table)
    options = invocation.options
    question = f"Reset {name}? Its files may be loaded again; data in the store and the warehouse stays."
    if not invocation.agreed(question, unattended=True):
        raise ConfirmationNeeded(f"{name} was not reset", "it was not confirmed", "answer y, or add --yes")
    changed = invocation.service.watermarks.reset(name, force=options.force, reason=options.reason)
    show_consequence(invocation, changed)


@watermark.command("list", examples=["wmtui watermark list", "wmtui watermark list --json"])
@pass_invocation
def list_(invocation: Invocation) -> ExitCode:
    """Show every configured table's watermark, also of those never synced."""
    from wmtui.cli import watermark_view as view

    console, service = invocation.console, invocation.service
    workspace = service.workspace
    looks, now = service.overview.looks(workspace.settings.tables), workspace.clock()
    errors = [look.status.unreadable for look in looks if look.status.unreadable is not None]
    code = combine(error.exit_code for error in errors)
    if invocation.options.json:
        console.json({"exit_code": int(code), "tables": [view.list_entry(look) for look in looks]})
    else:
        show_table(console, view.LIST_COLUMNS, [view.list_row(look, now, workspace.zone) for look in looks])
    for document in service.health.unknown_documents():
        console.tell(f"{document.key}: {document.finding}; {document.next_step}")
    for error in errors:
        invocation.report(error)
    return code


def _show_system(invocation: Invocation) -> None:
    service, console = invocation.service, invocation.console
    wall = service.watermarks.system()
    if invocation.options.json:
        console.json({"system_watermark": None if wall is None else values.wall(wall)})
    else:
        console.data(values.point(wall, service.workspace.zone))
    console.tell("this is the system watermark; watermarks of tables are preferred: -t schema.table")


def _move_system(invocation: Invocation, point: str, consequence: str) -> None:
    service, console, options = invocation.service, invocation.console, invocation.options
    wall = service.watermarks.point(point, force=options.force)
    question = f"Move the system watermark to {values.point(wall, service.workspace.zone)}? This is {consequence}."
    confirmed = invocation.agreed(question, unattended=False)
    moved = service.watermarks.set_system(point, force=options.force, confirmed=confirmed, reason=options.reason)
    console.tell(f"moved the system watermark; this is {consequence}")
    if options.json:
        console.json({"system_watermark": values.wall(moved)})
    else:
        console.data(values.point(moved, service.workspace.zone))
