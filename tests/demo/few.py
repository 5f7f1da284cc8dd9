"""A sandbox of three small tables in a moment, also as a program of its own that can be killed half-way.

`python -m tests.demo.few FOLDER [hang]` makes or opens it, prints the lines of progress and the sandbox's time; with
`hang` it stops for ever half-way.
"""

import signal
import sys
from collections.abc import Callable
from pathlib import Path

from wmtui.demo import open_demo, replay, sample_data
from wmtui.demo.dataset import TABLES, State


def make_few(patch: Callable[[object, str, object], None] = setattr) -> None:
    """Let sandboxes that are made from now on have few tables and a short past."""
    few = tuple(made for made in TABLES if made.state is State.NEVER_SYNCED)
    for module in (sample_data, replay):
        patch(module, "TABLES", few)
    patch(replay, "_happen", lambda past, _: past.sync("2025-08-14 02:00:00", State.NEVER_SYNCED))


def _tell(text: str) -> None:
    print(text, flush=True)
    if sys.argv[2:] == ["hang"] and "source" in text:
        signal.pause()


if __name__ == "__main__":
    make_few()
    _, clock = open_demo(Path(sys.argv[1]), False, _tell)
    print(clock().isoformat())
