"""Holding a watermark."""

from textual import on
from textual.app import ComposeResult
from textual.widgets import Input

from wmtui.model import TableName
from wmtui.tui.cli_equivalent import CliEquivalent
from wmtui.tui.dialogs.base import Dialog
from wmtui.tui.widgets.paragraphs import Paragraphs


class PinDialog(Dialog[tuple[str, str]]):
    """Why, and until when; dismissed with both, "" for no end."""

    def __init__(self, table: TableName, equal: CliEquivalent) -> None:
        super().__init__(f"Pin the watermark of {table}", yes="Pin")
        self._table = table
        self._equal = equal

    def body(self) -> ComposeResult:
        """Effect, reason, expiry."""
        yield Paragraphs([[("no run extracts it and nobody moves it until it is unpinned; loading goes on", "")]])
        yield Input(placeholder="reason (required): whoever meets the pin wants to know", id="reason")
        yield Input(placeholder="until: 2h, or a point in time; empty: until it is unpinned", id="until")

    @on(Input.Changed)
    def _check(self) -> None:
        reason, until = (self.query_one(f"#{name}", Input).value.strip() for name in ("reason", "until"))
        self.ready(bool(reason))
        more = ("--until", until) if until else ()
        self.equal(self._equal.command("watermark", "pin", *more, tables=[self._table], reason=reason or "…"))

    def act(self) -> None:
        """Pin it."""
        self.dismiss((self.query_one("#reason", Input).value.strip(), self.query_one("#until", Input).value.strip()))
