"""What the keys do to syncs: start, stop, and take over from a dead one."""

from typing import TYPE_CHECKING

from wmtui.events import Severity, Status, TableResult
from wmtui.model import TableName
from wmtui.service import Request
from wmtui.texts import count
from wmtui.tui.dialogs.base import ConfirmDialog, texts
from wmtui.tui.dialogs.sync import SyncDialog
from wmtui.tui.state.walkthrough import Step
from wmtui.watermarks.lease import Heartbeat

if TYPE_CHECKING:
    from wmtui.tui.app import WmtuiApp
from wmtui.tui.commands.permission import Asking


class Syncs(Asking):
    """Syncs of this screen. outcomes: how those ended that were started together."""

    def __init__(self, app: "WmtuiApp") -> None:
        super().__init__(app)
        self.outcomes: list[TableResult] = []

    def sync(self) -> None:
        """Sync the marked tables, else the current one."""
        app, tables = self._app, self._targets()
        if not tables:
            return
        looks = [app.table_state.looks.get(table) for table in tables]
        manual = [look.table for look in looks if look is not None and look.mark is not None and look.mark.is_manual]

        def start(request: Request | None) -> None:
            if request is None:
                return
            started = app.sync_queue.start(app.service, request)
            for table in set(tables) - set(started):
                app.say("is being synced already", Severity.WARNING, table)
            app.table_state.marked.clear()
            app.table_state.queued = app.sync_queue.waiting
            app.arrange()
            app.show_status()

        dialog = SyncDialog(app.service, tables, manual, app.equal, hidden=self._hidden())
        self._allowed(lambda: app.push_screen(dialog, start))

    def done(self) -> None:
        """Every sync that was started has ended: say it once, failures grouped by their cause."""
        outcomes, self.outcomes = self.outcomes, []
        causes: dict[str, list[str]] = {}
        for result in outcomes:
            if result.status in (Status.FAILED, Status.PINNED, Status.HELD):
                causes.setdefault(str(result.error).replace(result.table, "…"), []).append(result.table)
        for cause, names in causes.items():
            whose = names[0] if len(names) == 1 else f"{len(names)} tables, first {names[0]}"
            self._app.notify(f"{whose}: {cause}", severity="error", timeout=15)
        good = [result for result in outcomes if result.status is Status.SUCCESS]
        if good:
            rows = sum(result.rows_loaded for result in good)
            extracted = sum(result.rows_extracted for result in good)
            about = f"{count(extracted, 'row')} extracted, {rows:,} loaded"
            self._app.notify(f"✓ {count(len(good), 'table')} synced, {about}")
            if rows:
                self._app.walkthrough(Step.SYNCED)

    def cancel(self) -> None:
        """Stop the syncs of the marked tables, else of the current one, between parts."""
        for table in self._targets():
            if not self._app.sync_queue.cancel(table):
                self._app.say("no sync of this screen works on it; U breaks a dead run's lock", Severity.WARNING, table)

    def unlock(self) -> None:
        """Break the lock of the current table."""
        table = self._app.current
        if table is not None:
            self._allowed(lambda: self._unlock(table))

    def _unlock(self, table: TableName) -> None:
        app, service = self._app, self._app.service
        failed = lambda failure: self._failed(failure, table)  # noqa: E731

        def ask(lock: Heartbeat) -> None:
            lease = lock.lease_id
            if lease is None:
                app.say("nobody holds it", Severity.INFO, table)
                return
            effect = texts(
                str(lock.refusal()),
                "its run, if it is alive, notices within seconds and writes nothing more; the next sync resumes it",
            )

            def do(reason: str | None) -> None:
                if reason is not None:
                    work = lambda: service.locks.unlock(lock, reason=reason or None)  # noqa: E731
                    app.background.do(work, lambda _: self._told_unlocked(table), failed)

            command = lambda reason: app.equal.command("unlock", lease, "--yes", reason=reason)  # noqa: E731
            required = service.workspace.settings.profile.protected
            typed = lease[-4:]
            title = f"Break the lock of {table}"
            app.push_screen(
                ConfirmDialog(title, effect, command, yes="Unlock", typed=typed, reason_required=required), do
            )

        app.background.do(lambda: service.workspace.heartbeat(table), ask, failed)

    def _told_unlocked(self, table: TableName) -> None:
        self._app.say("broke the lock", table=table)
        self._read_again([table])
