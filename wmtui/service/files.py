"""The files of a table: each one's verdict, and what an operator decides about single ones."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from wmtui.errors import UsageError
from wmtui.files import decisions
from wmtui.files.selection import Selection
from wmtui.files.verdicts import Decision, VerdictReason, Will
from wmtui.model import TableName
from wmtui.runs.run_document import RunState, RunStore
from wmtui.service.table_documents import TableDocuments, consequence
from wmtui.service.workspace import Workspace
from wmtui.watermarks import lease
from wmtui.watermarks.changes import Action

_SHOWN = 3


class FileDecision(Struct, frozen=True):
    """What was decided about which files, and what the next load makes of the table's files now. will None: earlier
    decisions were taken back.
    """

    will: Will | None
    keys: tuple[str, ...]
    selection: Selection


class Files:
    """Verdicts and decisions."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def select(self, table: TableName) -> Selection:
        """Every file of a table with its verdict, by the load records; all days."""
        documents = TableDocuments.read(self._workspace, table)
        return consequence(self._workspace, documents, self._workspace.new_filter()).selection

    def skip(self, table: TableName, keys: Sequence[str], *, reason: str) -> FileDecision:
        """Never load these files, as they are now. Raises UsageError for a key that is none or is loaded."""
        return self._decide(table, Will.SKIP, reason, lambda selection: self._named(selection, table, keys, Will.SKIP))

    def write_off(self, table: TableName, keys: Sequence[str] = (), *, reason: str) -> FileDecision:
        """Give up files that are held back: these, or all of them. Raises UsageError for one that is not."""

        def choose(selection: Selection) -> dict[str, str]:
            if keys:
                return self._named(selection, table, keys, Will.WRITE_OFF)
            return {file.key: file.etag for file in selection.held_back_files}

        return self._decide(table, Will.WRITE_OFF, reason, choose)

    def unskip(self, table: TableName, keys: Sequence[str], *, reason: str) -> FileDecision:
        """Take back what was decided about these files. Raises UsageError for one that nothing was decided about."""
        workspace = self._workspace
        workspace.require_write(reason)
        _require_reason(reason)
        known = decisions.read(workspace.objects, table).files
        for key in keys:
            if key not in known:
                raise UsageError(f"nothing was decided about {key}", "", f"see `wmtui files -t {table}`")
        self._write(table, {}, tuple(keys), reason, Action.FILES_TAKEN_BACK)
        return FileDecision(None, tuple(keys), self.select(table))

    def _decide(
        self, table: TableName, will: Will, reason: str, choose: Callable[[Selection], dict[str, str]]
    ) -> FileDecision:
        workspace = self._workspace
        workspace.require_write(reason)
        _require_reason(reason)
        chosen = choose(self.select(table))
        if chosen:
            by, at = f"{workspace.author.actor}@{workspace.author.host}", workspace.clock().replace(microsecond=0)
            new = {key: Decision(etag, will, by, at, reason) for key, etag in chosen.items()}
            action = Action.FILES_SKIPPED if will is Will.SKIP else Action.FILES_WRITTEN_OFF
            self._write(table, new, (), reason, action)
        return FileDecision(will, tuple(chosen), self.select(table))

    def _write(
        self, table: TableName, new: dict[str, Decision], withdrawn: tuple[str, ...], reason: str, action: Action
    ) -> None:
        """Under the lease, because a run judges files by what stands when it begins. Raises LeaseHeld."""
        from wmtui.files.selection import earlier_runs
        from wmtui.runs.run_document import new_run_id

        w = self._workspace
        w.watermarks.require_conditions()
        mark, found = w.watermarks.read(table).watermark, w.heartbeat(table)
        run = new_run_id(w.clock(), *earlier_runs(found))
        held, _ = lease.acquire(w.objects, w.clock, w.author, table, run, fence=mark.fence)
        held.set_phase("deciding")
        try:
            # Not known until both are written: a load that begins after a crash in between reads the document.
            held.note(decisions=None)
            held.renew()
            changed = decisions.change(w.objects, table, new, frozenset(withdrawn))
            held.note(decisions=changed.serial)
            held.renew()
            keys = (*new, *withdrawn)
            shown = ", ".join(keys[:_SHOWN]) + (f" and {len(keys) - _SHOWN} more" if len(keys) > _SHOWN else "")
            w.watermarks.change(table, action, {}, reason=f"{reason} ({shown})")
        finally:
            held.release()

    def _named(self, selection: Selection, table: TableName, keys: Sequence[str], will: Will) -> dict[str, str]:
        """The ETags of files that an operator named, if that may be decided about them."""
        verdicts = {verdict.file.key: verdict for verdict in selection.verdicts}
        found = {}
        for key in dict.fromkeys(keys):
            verdict = verdicts.get(key)
            if verdict is None:
                found[key] = self._lost(table, key)
                continue
            if verdict.reason is VerdictReason.LOADED:
                raise UsageError(
                    f"{key} is loaded", selection.explain(verdict), "what is loaded stays; `wmtui verify` compares it"
                )
            if will is Will.WRITE_OFF and not verdict.held_back:
                raise UsageError(
                    f"{key} is not held back",
                    selection.explain(verdict),
                    f"`wmtui files -t {table} --skip {key}` keeps it from being loaded",
                )
            found[key] = verdict.file.etag
        return found

    def _lost(self, table: TableName, key: str) -> str:
        """The ETag of a part that is gone although a committed run lists it: its rows can be given up."""
        store = RunStore(self._workspace.objects, table)
        for name in store.since(""):
            stored = store.read(name)
            for part in stored.run.parts if stored is not None and stored.run.state is RunState.COMMITTED else ():
                if part.key == key:
                    return part.etag
        raise UsageError(f"no file {key}", f"it is not a file of {table}", f"see `wmtui files -t {table}` for the keys")


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise UsageError("why?", "those who look for these rows later need to know", "add --reason '…'")
