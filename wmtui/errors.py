"""Every failure a user can cause or meet: its code and kind, for machines, and the exit code it ends a command with.

This is the one list: `docs/errors.md` is written from it, and no other module defines an error. The classes that
others derive from have codes too, for what has no finer one.

Three more are answers of an object store that callers handle and users never see: ObjectMissing,
PreconditionFailed and WriteContended.
"""

from collections.abc import Iterable, Iterator
from enum import IntEnum, StrEnum
from typing import ClassVar

from msgspec import Struct

from wmtui.secrets import redact


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
    ExitCode.TABLE_FAILED,
    ExitCode.CONFLICT,
    ExitCode.NOTHING_SELECTED,
)


def combine(codes: Iterable[ExitCode]) -> ExitCode:
    """The one exit code of several outcomes: the most urgent wins, and a failure is more urgent than a conflict."""
    seen = set(codes)
    return next((code for code in _PRECEDENCE if code in seen), ExitCode.DONE)


class Kind(StrEnum):
    """What a machine does about an error; the values are part of the JSON interface."""

    USAGE = "usage"
    """Mend the command or the configuration."""
    RETRY = "retry"
    """The same command may succeed later."""
    REFUSAL = "refusal"
    """Nothing is broken: wmtui declines until an operator decides or changes something."""
    INTEGRITY = "integrity"
    """What is stored is damaged, lost, or not what was written."""
    BUG = "bug"
    """wmtui itself is wrong."""


class Failure(Struct, frozen=True):
    """An error as results and JSON documents hold it. code: stable. next: the next step."""

    code: str
    kind: Kind
    what: str
    why: str
    next: str

    def __str__(self) -> str:
        return in_one_line(self.what, self.why, self.next)


def in_one_line(what: str, why: str, next_step: str) -> str:
    """What, why and the next step, whatever lines a driver's words come in."""
    failure = f"{what}: {why}" if why else what
    return " ".join((failure + (f" — {next_step}" if next_step else "")).split())


class WmtuiError(Exception):
    """A failure that the user reads: what happened, why, and the next step. Only its subclasses are raised.

    The three texts are plain (no markup); a known secret in them, such as a library's words may hold, is left out.
    """

    code: ClassVar[str]
    """Stable, and of this class alone."""
    kind: ClassVar[Kind] = Kind.REFUSAL
    exit_code = ExitCode.TABLE_FAILED

    def __init__(self, what: str, why: str = "", next_step: str = "") -> None:
        self.what = redact(what)
        self.why = redact(why)
        self.next_step = redact(next_step)
        super().__init__(self.what)

    def __str__(self) -> str:
        return f"{self.what}: {self.why}" if self.why else self.what

    @property
    def in_one_line(self) -> str:
        """What, why and the next step, whatever lines a driver's words come in."""
        return in_one_line(self.what, self.why, self.next_step)

    @property
    def failure(self) -> Failure:
        """What results and documents hold of it."""
        return Failure(self.code, self.kind, self.what, self.why, self.next_step)


class UsageError(WmtuiError):
    """The command cannot mean anything; nothing was done."""

    code = "usage"
    kind = Kind.USAGE
    exit_code = ExitCode.USAGE


class UnknownName(UsageError):
    """No command, table or theme has this name."""

    code = "unknown-name"


class ConfirmationNeeded(UsageError):
    """The effect is wide and was not confirmed; nothing was done."""

    code = "confirmation-needed"
    kind = Kind.REFUSAL


class ReadOnly(ConfirmationNeeded):
    """Changes are refused by `--read-only` or by a protected profile."""

    code = "read-only"


class RowsWouldDouble(ConfirmationNeeded):
    """Without a primary key the rows would be appended a second time."""

    code = "rows-would-double"


class ConfigError(WmtuiError):
    """The configuration is missing, wrong, or does not fit the table."""

    code = "configuration"
    kind = Kind.USAGE
    exit_code = ExitCode.CONFIG


class OtherTimeZone(ConfigError):
    """The watermark is in another time zone than the profile's."""

    code = "other-time-zone"
    kind = Kind.REFUSAL


class Unreachable(WmtuiError):
    """Store, source or warehouse refused or did not answer."""

    code = "unreachable"
    kind = Kind.RETRY
    exit_code = ExitCode.UNREACHABLE


class StoreError(Unreachable):
    """The object store refused or did not answer."""

    code = "store-unreachable"


class StoreDenied(StoreError):
    """The object store does not let these credentials, or this account, do that."""

    code = "store-denied"
    kind = Kind.REFUSAL


class NotAStore(StoreError):
    """What answers for the object store answers as no store does: a login page, a proxy, a listing that is old."""

    code = "not-a-store"
    kind = Kind.REFUSAL


class ConditionsIgnored(StoreError):
    """The object store accepts conditional writes without checking them, so editing is unsafe."""

    code = "conditions-ignored"
    kind = Kind.REFUSAL


class SourceError(Unreachable):
    """The source database refused or did not answer."""

    code = "source-unreachable"


class PrivilegeMissing(SourceError):
    """The source's account lacks a privilege."""

    code = "source-privilege-missing"
    kind = Kind.REFUSAL


class UnknownStatement(SourceError):
    """The source does not know a statement: it is too old or too new for it."""

    code = "source-statement-unknown"
    kind = Kind.REFUSAL


class TimeLimitReached(SourceError):
    """The source ended a statement that took longer than it may."""

    code = "source-time-limit"


class WarehouseError(Unreachable):
    """The warehouse refused or did not answer."""

    code = "warehouse-unreachable"


class Conflict(WmtuiError):
    """Another process changed what this change was based on."""

    code = "conflict"
    kind = Kind.RETRY
    exit_code = ExitCode.CONFLICT


class LeaseHeld(Conflict):
    """A live run holds the table's lease."""

    code = "lease-held"


class LeaseLost(LeaseHeld):
    """The lease ended or was broken while its run was at work; nothing was committed after that."""

    code = "lease-lost"


class LeaseNotFound(Conflict):
    """No table is held under this id any more."""

    code = "lease-not-found"
    kind = Kind.USAGE


class Superseded(Conflict):
    """A newer run has taken over, and what this one had was not loaded or written."""

    code = "superseded"


class TargetChanged(Conflict):
    """Target, ledger or staging changed while files were loaded; nothing was loaded."""

    code = "target-changed"


class Pinned(Conflict):
    """An operator pinned the watermark; extraction is refused until then."""

    code = "pinned"
    kind = Kind.REFUSAL


class TableError(WmtuiError):
    """One table failed; the others go on."""

    code = "table-failed"


class TableChanged(TableError):
    """A table of the source was altered or replaced while it was read."""

    code = "table-changed"


class Unreadable(TableError):
    """A document in the store is corrupt. It is reported by key and never overwritten."""

    code = "document-unreadable"
    kind = Kind.INTEGRITY

    def __init__(self, key: str, why: str) -> None:
        super().__init__(
            f"cannot read {key}",
            why,
            "look at the object and restore an earlier version; wmtui does not overwrite what it cannot read",
        )
        self.key = key


class NotWritten(TableError):
    """A document was not written because it could not be read again; nothing was changed."""

    code = "document-not-written"
    kind = Kind.INTEGRITY


class StoreIncomplete(TableError):
    """The store is a copy that was taken during a run, or lost a run's document."""

    code = "store-incomplete"
    kind = Kind.INTEGRITY


class TargetDoubtful(TableError):
    """Target, ledger and store do not fit each other; `wmtui accept` or `wmtui store accept` decides."""

    code = "target-doubtful"
    kind = Kind.INTEGRITY


class TargetHandedOver(TableError):
    """The target belongs to another table now."""

    code = "target-handed-over"


class LedgerBroken(TableError):
    """The ledger in the warehouse is not whole, or of a newer format."""

    code = "ledger-broken"
    kind = Kind.INTEGRITY


class SourceWentBack(TableError):
    """The source, its clock or its stamps went back, and rows would never be read."""

    code = "source-went-back"
    kind = Kind.INTEGRITY


class CursorsDoubtful(TableError):
    """Rows have a NULL cursor or one in the future, and the table's settings refuse that."""

    code = "cursors-doubtful"


class WatermarkGone(Unreadable):
    """A watermark's document is not there although its journal has changes of it: it was deleted outside wmtui."""

    code = "watermark-gone"

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

    code = "value-not-exact"


class TargetUnreadable(TableError):
    """The target cannot be read, or lacks a column that is to be compared."""

    code = "target-unreadable"


class TargetMisfit(TableError):
    """The target cannot take what the source has; nothing was read."""

    code = "target-misfit"


class LoadRefused(TableError):
    """The warehouse did not take the files' rows or columns as they are; nothing was loaded."""

    code = "load-refused"


class RowsMissing(TableError):
    """Fewer rows arrived in staging or target than were sent; nothing was loaded."""

    code = "rows-missing"
    kind = Kind.INTEGRITY


class FileGone(TableError):
    """A file that was written or loaded is no longer in the store."""

    code = "file-gone"
    kind = Kind.INTEGRITY


class FileReplaced(TableError):
    """A file is no longer the one that was written or chosen."""

    code = "file-replaced"
    kind = Kind.INTEGRITY


class FileDamaged(TableError):
    """A file is no readable Parquet file."""

    code = "file-damaged"
    kind = Kind.INTEGRITY


class FileMisfit(TableError):
    """A file lacks what this table needs: a key or cursor column, or a key's value."""

    code = "file-misfit"


class NoRoom(TableError):
    """Disk or memory of this machine does not suffice."""

    code = "no-room"
    kind = Kind.RETRY


class OutputFailed(WmtuiError):
    """What was asked for could not be written to stdout."""

    code = "output-failed"
    kind = Kind.RETRY


class Bug(WmtuiError):
    """An unexpected exception in wmtui; the traceback is in the log file and under `--debug`."""

    code = "bug"
    kind = Kind.BUG

    def __init__(self, cause: BaseException) -> None:
        """The cause's own text is left out: it may hold a secret that is not known."""
        super().__init__(
            f"this is a bug in wmtui ({type(cause).__name__})",
            _own_frame(cause),
            "run it again with --debug and report the traceback",
        )
        self.__cause__ = cause

    @property
    def trace(self) -> str:
        """The traceback, for developers."""
        import traceback

        return "".join(traceback.format_exception(self.__cause__))


class NothingSelected(WmtuiError):
    """Files were found, and none may be loaded."""

    code = "nothing-selected"
    exit_code = ExitCode.NOTHING_SELECTED


class Interrupted(WmtuiError):
    """Ctrl-C (130) or SIGTERM (143); what was durable stays, the next run continues."""

    code = "interrupted"
    kind = Kind.RETRY
    exit_code = ExitCode.INTERRUPTED

    def __init__(self, exit_code: ExitCode = ExitCode.INTERRUPTED, why: str = "") -> None:
        super().__init__("interrupted", why, "run it again: it goes on from what is durable" if why else "")
        self.exit_code = exit_code


def _own_frame(cause: BaseException) -> str:
    """The innermost line of wmtui that the exception came through."""
    import traceback

    frames = traceback.extract_tb(cause.__traceback__)
    own = [frame for frame in frames if "/wmtui/" in frame.filename.replace("\\", "/")]
    if not own:
        return ""
    name = own[-1].filename.replace("\\", "/").rpartition("/wmtui/")[2]
    return f"at wmtui/{name}:{own[-1].lineno}"


def as_wmtui_error(error: Exception) -> WmtuiError:
    """A WmtuiError itself; any other exception as a Bug."""
    return error if isinstance(error, WmtuiError) else Bug(error)


def every_error(base: type[WmtuiError] = WmtuiError) -> Iterator[type[WmtuiError]]:
    """Every class a user can meet, each after the one it derives from."""
    for kind in base.__subclasses__():
        yield kind
        yield from every_error(kind)


class ObjectMissing(Exception):
    """GET or HEAD of a key that does not exist. Absent is not unreadable: only a definite 404 raises this."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


class PreconditionFailed(Exception):
    """HTTP 412: the object is not as the writer expected. The write may still have been ours (lost response)."""


class WriteContended(Exception):
    """HTTP 409: another conditional write of the key is under way; try again."""
