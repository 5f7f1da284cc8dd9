"""Text of any length, wrapped to the width there is."""

from collections.abc import Sequence

from textual.content import Content
from textual.widgets import Static

from wmtui.tui.widgets.cells import KIND_STYLES, Line, plain


class Paragraphs(Static):
    """Lines, each wrapped; no character of them is markup."""

    DEFAULT_CSS = "Paragraphs { height: auto; }"

    def __init__(self, lines: Sequence[Line] = (), *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._shown = list(lines)

    def on_mount(self) -> None:
        """Draw what it was made with."""
        self.show(self._shown)

    def show(self, lines: Sequence[Line]) -> None:
        """Show other lines; none: it takes no room."""
        self._shown = list(lines)
        self.display = bool(lines)
        ascii_only = self.app.has_class("ascii")
        pieces: list[Content] = []
        for line in self._shown:
            content = Content("")
            for text, kind in line:
                content += Content.styled(plain(text, ascii_only), KIND_STYLES.get(kind, ""))
            pieces.append(content)
        self.update(Content("\n").join(pieces))

    @property
    def text(self) -> str:
        """What is shown, without styles."""
        return "\n".join("".join(text for text, _ in line) for line in self._shown)
