"""`wmtui watermark pin` and `unpin`: hold a table."""

import click

from wmtui.cli.invocation import Invocation, pass_invocation
from wmtui.cli.options import Command, table_option
from wmtui.cli.watermark_output import show_document


@click.command(
    cls=Command,
    examples=[
        "wmtui watermark pin -t shop.orders --reason 'the source is being repaired'",
        "wmtui watermark pin -t shop.orders --reason 'month end' --until 2h",
    ],
)
@table_option
@click.option("--until", metavar="TS", help="When the pin ends by itself: a time, or a duration such as 2h, 1d.")
@pass_invocation
def pin(invocation: Invocation, table: str | None, until: str | None) -> None:
    """Hold a table: nothing is extracted, and its watermark is not moved; needs --reason.

    Loading with --redshift-only goes on. --force does not override a pin.
    """
    mark = invocation.service.pins.pin(invocation.table(table), reason=invocation.options.reason or "", until=until)
    end = mark.fields["pin"]["until"] or "it is unpinned"
    show_document(invocation, mark, [f"nothing is extracted until {end}"])


@click.command(cls=Command, examples=["wmtui watermark unpin -t shop.orders"])
@table_option
@pass_invocation
def unpin(invocation: Invocation, table: str | None) -> None:
    """Let a pinned table go; the history shows who did."""
    mark = invocation.service.pins.unpin(invocation.table(table), reason=invocation.options.reason)
    show_document(invocation, mark, ["the next sync extracts again"])
