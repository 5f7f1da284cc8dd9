"""What a sync reports while it works; the command line and the screen show the same events."""

import threading
from collections.abc import Callable
from enum import StrEnum

from msgspec import Struct

from wmtui.errors import ExitCode, Failure, Interrupted


class Phase(StrEnum):
    """Where the sync of one table is."""

    STARTING = "starting"
    EXTRACTING = "extracting"
    SELECTING = "selecting"
    STAGING = "staging"
    MERGING = "merging"
    COMPARING = "comparing"
    DONE = "done"


class Severity(StrEnum):
    """How much a message of the log matters."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class Status(StrEnum):
    """How the sync of one table ended; the values are part of the JSON interface."""

    SUCCESS = "success"
    NOTHING_SELECTED = "nothing_selected"
    FAILED = "failed"
    PINNED = "pinned"
    HELD = "held"
    INTERRUPTED = "interrupted"


class Message(Struct, frozen=True):
    """A line for the log."""

    table: str
    severity: Severity
    text: str


class Progress(Struct, frozen=True):
    """How far a table has come. rows, parts: of the phase; files: total to load, 0 while extracting."""

    table: str
    phase: Phase
    rows: int = 0
    parts: int = 0
    files: int = 0


class TableResult(Struct, frozen=True):
    """How the sync of one table ended. The numbers are of what was committed, also where it failed after that."""

    table: str
    status: Status
    exit_code: ExitCode
    rows_extracted: int = 0
    rows_loaded: int = 0
    files_written: int = 0
    files_loaded: int = 0
    seconds: float = 0.0
    error: Failure | None = None


Event = Message | Progress | TableResult
Emit = Callable[[Event], None]


class Stop:
    """A request to stop between parts; set by a signal or a key, checked by the workers."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.exit_code = ExitCode.INTERRUPTED

    def request(self, exit_code: ExitCode = ExitCode.INTERRUPTED) -> None:
        """Ask every worker to stop at its next part."""
        self.exit_code = exit_code
        self._event.set()

    @property
    def requested(self) -> bool:
        """Whether a stop was requested."""
        return self._event.is_set()

    def wait(self, seconds: float) -> None:
        """Sleep, and raise Interrupted as soon as a stop is requested."""
        self._event.wait(seconds)
        self.check()

    def check(self) -> None:
        """Raises Interrupted once a stop was requested."""
        if self.requested:
            raise Interrupted(self.exit_code)
