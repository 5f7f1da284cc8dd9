"""A watermark that was just changed."""

from typing import TYPE_CHECKING

from wmtui.cli.invocation import Invocation
from wmtui.words import watermarks

if TYPE_CHECKING:
    from wmtui.service import Consequence, Watermark


def show_consequence(invocation: Invocation, consequence: "Consequence") -> None:
    """The document re-read, and which files are loaded and rows extracted because of it."""
    from wmtui.words import consequences

    show_document(invocation, consequence.mark, consequences.lines(consequence, invocation.service.workspace.zone))


def show_document(invocation: Invocation, mark: "Watermark", consequence: list[str]) -> None:
    """The document, and what follows from it; as data the document alone."""
    console, workspace = invocation.console, invocation.service.workspace
    if invocation.options.json:
        console.json(mark.fields)
        for line in consequence:
            console.tell(line)
    else:
        console.data(*watermarks.document(mark, workspace.clock(), workspace.zone), "", *consequence)
