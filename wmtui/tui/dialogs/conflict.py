"""Two people edited one watermark: both versions, side by side."""

from textual.app import ComposeResult

from wmtui.service import Draft
from wmtui.tui.background import Failure, words
from wmtui.tui.dialogs.base import Dialog
from wmtui.tui.widgets.cells import Line
from wmtui.tui.widgets.paragraphs import Paragraphs
from wmtui.watermarks.journal_entries import difference
from wmtui.watermarks.model import Watermark


class ConflictDialog(Dialog[str]):
    """What somebody else made of the watermark, and what one was about to; dismissed with the point to edit on with."""

    def __init__(self, seen: Draft, point: str) -> None:
        super().__init__(
            f"Somebody changed the watermark of {seen.table} meanwhile", yes="Edit theirs", no="Keep theirs"
        )
        self._seen = seen
        self._point = point

    def body(self) -> ComposeResult:
        """Theirs and yours."""
        yield Paragraphs([[("nothing was saved: your change was based on an older version", "warn")]])
        yield Paragraphs([[("theirs", "strong")]])
        yield Paragraphs([[("reading…", "dim")]], id="theirs")
        yield Paragraphs([[("yours", "strong")]])
        yield Paragraphs([[("  last_mysql_data_timestamp  ", "dim"), (self._point, "")]])

    def begin(self) -> None:
        """Read theirs."""
        super().begin()
        self.ask(self._seen.again, self._show)

    def _show(self, theirs: Watermark) -> None:
        change = theirs.change or {}
        who = f"{change.get('actor')}@{change.get('host')}, {change.get('at')}, {change.get('action')}"
        why = [[(f"  “{change['reason']}”", "")]] if change.get("reason") else []
        fields = difference(self._seen.seen.content, theirs.content)
        lines: list[Line] = [[(f"  {name}  ", "dim"), (f"{old} → {new}", "")] for name, (old, new) in fields.items()]
        self.query_one("#theirs", Paragraphs).show([[(f"  {who}", "dim")], *why, *lines])
        self.ready(True)

    def failed(self, failure: Failure) -> None:
        """Theirs cannot be read."""
        self.say(words(failure), "bad")

    def act(self) -> None:
        """Think again, from theirs."""
        self.dismiss(self._point)
