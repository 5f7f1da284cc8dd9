"""After a watermark was changed by another writer too: both versions, one above the other."""

from textual.app import ComposeResult

from wmtui.errors import WmtuiError
from wmtui.service import EditPreview, OtherEdit
from wmtui.tui.dialogs.base import Dialog
from wmtui.tui.widgets.cells import Line
from wmtui.tui.widgets.paragraphs import Paragraphs


class ConflictDialog(Dialog[str]):
    """The change of the other writer, and the one not saved; dismissed with the point to edit again with."""

    def __init__(self, preview: EditPreview, point: str) -> None:
        super().__init__(
            f"Another operator changed the watermark of {preview.table} meanwhile", yes="Edit theirs", no="Keep theirs"
        )
        self._preview = preview
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
        self.ask(self._preview.other_edit, self._show)

    def _show(self, theirs: OtherEdit) -> None:
        change, who, why = theirs.change, "a change that is not in the journal", ""
        if change is not None:
            who, why = f"{change.actor}@{change.host}, {change.at}, {change.action}", change.reason or ""
        lines: list[Line] = [[(f"  {who}", "dim")], *([[(f"  “{why}”", "")]] if why else [])]
        lines += [[(f"  {name}  ", "dim"), (f"{old} → {new}", "")] for name, (old, new) in theirs.diff.items()]
        self.query_one("#theirs", Paragraphs).show(lines)
        self.ready(True)

    def failed(self, error: WmtuiError) -> None:
        """Show why theirs cannot be read."""
        self.say(error.in_one_line, "bad")

    def act(self) -> None:
        """Edit again, based on theirs."""
        self.dismiss(self._point)
