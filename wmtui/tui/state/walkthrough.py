"""The demo's line that leads from a table that loads nothing through why → edit → sync → undo."""

from enum import IntEnum


class Step(IntEnum):
    """What was done last."""

    OPENED = 0
    WHY_SEEN = 1
    EDITED = 2
    SYNCED = 3
    UNDONE = 4


_TEXTS = {
    Step.OPENED: "This table has files in the store, and loads none. Why? Press f.",
    Step.WHY_SEEN: "By so much each file missed it. e edits; ↓ Enter Enter lets them in.",
    Step.EDITED: "Saved, and in the history. Now load them: press s, then Enter.",
    Step.SYNCED: "Loaded, exactly once. u takes the edit back; h shows who did what.",
    Step.UNDONE: "That is the round: why, edit, sync, undo. ? shows every key.",
}
"""Each fits a line of 80 cells."""


class Walkthrough:
    """Where the reader is; it only goes forward."""

    def __init__(self) -> None:
        self.step = Step.OPENED

    def done(self, step: Step) -> None:
        """Something was done; what comes before it counts as done too."""
        if step == self.step + 1 or (step is Step.EDITED and self.step < step):
            self.step = step

    @property
    def text(self) -> str:
        """What to do next."""
        return f"{self.step + 1}/{len(Step)}  {_TEXTS[self.step]}"
