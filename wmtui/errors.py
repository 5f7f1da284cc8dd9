"""Every failure a user can cause or meet, and the exit code it ends a command with.

    WmtuiError
    ├── UsageError                2  the words of the command are off; unknown table, timestamp or preset
    │   └── ConfirmationNeeded    2  the effect is wide and nobody said yes
    ├── ConfigError               3  tables.yaml, an environment variable, or a table that does not fit its settings
    ├── Unreachable               4
    │   ├── StoreError            4  the object store refuses or does not answer
    │   │   └── ConditionsIgnored 4  it accepts conditional writes without checking them
    │   ├── SourceError           4  the source database
    │   └── WarehouseError        4  the warehouse
    ├── Conflict                  5  somebody changed the document meanwhile
    │   ├── LeaseHeld             5  a run holds the table
    │   └── Pinned                5  an operator holds the watermark
    ├── TableError                1  this table failed, the others go on
    │   ├── Unreadable            1  a document in the store is corrupt; never overwritten
    │   │   └── WatermarkGone     1  it was deleted, and its journal is there: somebody decides what holds
    │   ├── UnsupportedValue      1  a type or value that cannot be carried exactly
    │   └── TargetMisfit          1  the target cannot take what the source has; nothing was read
    ├── NothingSelected           6  files exist, none may be loaded
    └── Interrupted         130/143  Ctrl-C or SIGTERM

Three more are answers of an object store that callers handle and users never see: ObjectMissing,
PreconditionFailed and WriteContended.
"""

from collections.abc import Iterable
from enum import IntEnum


class ExitCode(IntEnum):
    """What a command tells the shell; the numbers are part of the interface."""

    DONE = 0
    TABLE_FAILED = 1
    USAGE = 2
    CONFIG = 3
    UNREACHABLE = 4
    CONFLICT = 5
    NOTHING_SELECTED = 6
    INTERRUPTED = 130
    TERMINATED = 143


_PRECEDENCE = (
    ExitCode.INTERRUPTED,
    ExitCode.TERMINATED,
    ExitCode.USAGE,
    ExitCode.CONFIG,
    ExitCode.UNREACHABLE,
    ExitCode.CONFLICT,
    ExitCode.TABLE_FAILED,
    ExitCode.NOTHING_SELECTED,
)


def combine(codes: Iterable[ExitCode]) -> ExitCode:
    """The one exit code of several outcomes: the most urgent wins."""
    seen = set(codes)
    return next((code for code in _PRECEDENCE if code in seen), ExitCode.DONE)


class WmtuiError(Exception):
    """A failure told to the user: what happened, why, and the next step.

    The three texts are plain (no markup) and never contain a secret.
    """

    exit_code = ExitCode.TABLE_FAILED

    def __init__(self, what: str, why: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" if self.why else self.what

    @property
    def in_one_line(self) -> str:
        """What, why and the next step, whatever lines a driver's words come in."""
        return " ".join((str(self) + (f" — {self.next_step}" if self.next_step else "")).split())


class UsageError(WmtuiError):
    """The command cannot mean anything; nothing was done."""

    exit_code = ExitCode.USAGE


class ConfirmationNeeded(UsageError):
    """A wide or read-only-refused change without a yes; nothing was done."""


class ConfigError(WmtuiError):
    """The configuration is missing, wrong, or does not fit the table."""

    exit_code = ExitCode.CONFIG


class Unreachable(WmtuiError):
    """Store, source or warehouse refused or did not answer."""

    exit_code = ExitCode.UNREACHABLE


class StoreError(Unreachable):
    """The object store refused or did not answer."""


class ConditionsIgnored(StoreError):
    """The object store accepts conditional writes without checking them, so editing is unsafe."""


class SourceError(Unreachable):
    """The source database refused or did not answer."""


class WarehouseError(Unreachable):
    """The warehouse refused or did not answer."""


class Conflict(WmtuiError):
    """Somebody else changed what this change was based on."""

    exit_code = ExitCode.CONFLICT


class LeaseHeld(Conflict):
    """A live run holds the table's lease."""


class Pinned(Conflict):
    """An operator pinned the watermark; extraction is refused until then."""


class TableError(WmtuiError):
    """One table failed; the others go on."""


class Unreadable(TableError):
    """A document in the store is corrupt. It is reported by key and never overwritten."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(
            f"cannot read {key}",
            why,
            "look at the object and restore an earlier version; wmtui does not overwrite what it cannot read",
        )
        self.key = key


class WatermarkGone(Unreadable):
    """A watermark's document is not there although its journal has changes of it: it was deleted outside wmtui."""

    def __init__(self, table: str, key: str, serial: int) -> None:
        super().__init__(key, f"its document was deleted; the journal has serial {serial}")
        self.what = f"the watermark of {table} is gone"
        self.args = (self.what,)
        self.serial = serial
        self.next_step = (
            f"`wmtui watermark undo -t {table}` brings it back; `wmtui watermark set` or `reset` decides otherwise"
        )


class UnsupportedValue(TableError):
    """A type or value that cannot be carried exactly; refused rather than changed silently."""


class TargetMisfit(TableError):
    """The target cannot take what the source has; nothing was read."""


class NothingSelected(WmtuiError):
    """Files were found, and none may be loaded."""

    exit_code = ExitCode.NOTHING_SELECTED


class Interrupted(WmtuiError):
    """Ctrl-C (130) or SIGTERM (143); what was durable stays, the next run continues."""

    def __init__(self, exit_code: ExitCode = ExitCode.INTERRUPTED) -> None:
        super().__init__("interrupted")
        self.exit_code = exit_code


class ObjectMissing(Exception):
    """GET or HEAD of a key that does not exist. Absent is not unreadable: only a definite 404 raises this."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class PreconditionFailed(Exception):
    """HTTP 412: the object is not as the writer expected. The write may still have been ours (lost response)."""


class WriteContended(Exception):
    """HTTP 409: another conditional write of the key is under way; try again."""
