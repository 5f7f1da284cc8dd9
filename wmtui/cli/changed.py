"""A watermark that was just changed."""

from wmtui.cli.invocation import Invocation
from wmtui.service import Changed
from wmtui.watermarks.model import Watermark
from wmtui.words import watermarks


def show_changed(invocation: Invocation, changed: Changed) -> None:
    """The document re-read, and which files are loaded and rows extracted because of it."""
    show_document(invocation, changed.mark, watermarks.consequence(invocation.service, changed.mark, changed.selection))


def show_document(invocation: Invocation, mark: Watermark, consequence: list[str]) -> None:
    """The document, and what follows from it; as data the document alone."""
    console = invocation.console
    if invocation.options.json:
        console.json(mark.fields)
        for line in consequence:
            console.tell(line)
    else:
        console.data(*watermarks.document(invocation.service, mark), "", *consequence)
