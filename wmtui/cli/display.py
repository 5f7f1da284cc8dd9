"""Which display shows the events of a sync: live at a terminal, plain lines elsewhere."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from wmtui.cli.console import Console
from wmtui.cli.progress import Display, PlainDisplay
from wmtui.events import Severity


@contextmanager
def open_display(console: Console) -> Iterator[Display]:
    """The display that suits stderr."""
    terminal = sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
    if not terminal or not console.shows(Severity.INFO):
        yield PlainDisplay(console)
        return
    from wmtui.cli.live import live_display

    with live_display(console) as display:
        yield display
