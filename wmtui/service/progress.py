"""How far the sync of a table has come, and how it ended; command line and screen show the same."""

from msgspec import Struct

from wmtui.events import Progress, TableResult
from wmtui.texts import count


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

    @property
    def parts(self) -> str:
        """Parts written, or files staged of those to load."""
        p = self.progress
        return f"{p.parts} of {count(p.files, 'file')}" if p.files else count(p.parts, "part")


def ending(result: TableResult) -> str:
    """How a table's sync ended, in a line."""
    extracted = f"{count(result.rows_extracted, 'row')} extracted into {count(result.files_written, 'file')}"
    loaded = f"{count(result.rows_loaded, 'row')} loaded from {count(result.files_loaded, 'file')}"
    return f"{result.status.value.replace('_', ' ')}, {extracted}, {loaded}, {result.seconds:.1f} s"
