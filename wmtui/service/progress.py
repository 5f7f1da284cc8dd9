"""How far the sync of a table has come."""

from msgspec import Struct

from wmtui.events import Progress


class TableProgress(Struct):
    """A table under way. began: of its sync; phase_began: of the phase its rows count in; monotonic seconds."""

    progress: Progress
    began: float
    phase_began: float

    def advance(self, progress: Progress, now: float) -> None:
        """Take in how far it has come."""
        if progress.phase is not self.progress.phase:
            self.phase_began = now
        self.progress = progress

    def rate(self, now: float) -> int:
        """Rows per second in this phase."""
        return int(self.progress.rows / (now - self.phase_began)) if now > self.phase_began else 0
