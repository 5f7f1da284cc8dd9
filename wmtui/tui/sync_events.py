"""What the syncs of this screen report: progress goes into the list, messages into the log, the end into a toast."""

from wmtui.events import Event, Message, Phase, Progress, Status, TableResult
from wmtui.model import TableName
from wmtui.service import TableProgress
from wmtui.texts import count
from wmtui.tui.panes.log import as_line
from wmtui.tui.shell import Shell
from wmtui.tui.state.walkthrough import Step

_TOAST_SECONDS = 15


class SyncEvents:
    """Takes the events of the sync queue, on the screen's thread."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._results: list[TableResult] = []
        """Of syncs that were started together, until all of them have ended."""

    def take(self) -> bool:
        """Take what was reported since the last time; whether the list of tables looks different after it."""
        shell, queue = self._shell, self._shell.sync_queue
        if not queue.events and not shell.table_state.queued:
            return False
        names = {str(table): table for table in shell.table_state.tables} if queue.events else {}
        lines, ended = [], []
        while queue.events:
            event = queue.events.popleft()
            line = as_line(event, shell.service.workspace.clock())
            if line is not None:
                lines.append(line)
            table = names.get(event.table)
            if table is not None:
                self._take_event(table, event)
                if isinstance(event, TableResult):
                    ended.append(table)
        shell.table_state.queued = queue.waiting
        shell.main.log_pane.add(lines)
        if ended:
            shell.read_again(ended)
        return True

    def _take_event(self, table: TableName, event: Event) -> None:
        shell, running = self._shell, self._shell.table_state.running
        now = shell.clock()
        if isinstance(event, TableResult):
            running.pop(table, None)
            self._results.append(event)
        elif isinstance(event, Progress):
            running.setdefault(table, TableProgress(event, now, now)).advance(event, now)
        elif isinstance(event, Message) and table in shell.sync_queue.running:
            running.setdefault(table, TableProgress(Progress(str(table), Phase.STARTING), now, now))

    def announce_end(self) -> None:
        """Once every sync that was started has ended: say it once, failures grouped by their cause."""
        if not self._results or self._shell.sync_queue.busy or self._shell.sync_queue.events:
            return
        results, self._results = self._results, []
        for cause, names in _failures_by_cause(results).items():
            tables = names[0] if len(names) == 1 else f"{len(names)} tables, first {names[0]}"
            self._shell.notify(f"{tables}: {cause}", severity="error", timeout=_TOAST_SECONDS)
        done = [result for result in results if result.status is Status.SUCCESS]
        if done:
            loaded = sum(result.rows_loaded for result in done)
            extracted = sum(result.rows_extracted for result in done)
            rows = f"{count(extracted, 'row')} extracted, {loaded:,} loaded"
            self._shell.notify(f"✓ {count(len(done), 'table')} synced, {rows}")
            if loaded:
                self._shell.main.walkthrough.done(Step.SYNCED)


def _failures_by_cause(results: list[TableResult]) -> dict[str, list[str]]:
    """Tables by why they failed. A cause is without the table's name, so that equal causes are equal texts."""
    causes: dict[str, list[str]] = {}
    for result in results:
        if result.status in (Status.FAILED, Status.PINNED, Status.HELD):
            causes.setdefault(str(result.error).replace(result.table, "…"), []).append(result.table)
    return causes
