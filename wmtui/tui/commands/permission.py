"""What everything that asks or changes something needs: permission first, a report after."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from wmtui.events import Severity
from wmtui.model import TableName
from wmtui.service import Consequence, Service
from wmtui.texts import count
from wmtui.tui.background import Failure, words
from wmtui.tui.dialogs.base import ConfirmDialog, texts
from wmtui.watermarks.model import Watermark

if TYPE_CHECKING:
    from wmtui.tui.app import WmtuiApp


class Asking:
    """Asks, does, and tells how it went, for one screen."""

    def __init__(self, app: "WmtuiApp") -> None:
        self._app = app

    def _targets(self) -> list[TableName]:
        return self._app.table_state.targets(self._app.current)

    def _hidden(self) -> int:
        """How many of the marked tables the filter hides: they are meant all the same."""
        return len(self._app.table_state.marked - set(self._app.table_state.visible()))

    def _one(self, what: str) -> TableName | None:
        """The table under the cursor, for what is done to one table at a time; while others are marked it says so."""
        app = self._app
        if app.table_state.marked - {app.current}:
            marked = count(len(app.table_state.marked), "marked table")
            app.say(f"{what} is done to one table at a time, and there are {marked}: Esc unmarks", Severity.WARNING)
            return None
        return app.current

    def _allowed(self, go_on: Callable[[], object]) -> None:
        """Go on where changes are allowed; in a protected profile once its name was typed."""
        app = self._app
        settings = app.service.workspace.settings
        if not app.locked:
            go_on()
            return
        name = settings.profile_name

        def typed(answer: str | None) -> None:
            if answer is not None:
                self._reopen(name, unlocked=True, then=go_on)

        effect = texts(f"{name} is protected: from here on, changes are made to {settings.store.root}", kind="warn")
        command = lambda _: ""  # noqa: E731
        app.push_screen(ConfirmDialog(f"Change {name}?", effect, command, yes="Unlock", typed=name), typed)

    def _changed(self, action: str, changed: Consequence) -> None:
        summary = changed.selection.summary
        self._app.say(f"{action}: {summary}" + (f"; {summary.hint}" if summary.hint else ""), table=changed.mark.table)
        self._read_again([changed.mark.table])

    def _told(self, what: str, mark: Watermark) -> None:
        self._app.say(what, table=mark.table)
        self._read_again([mark.table])

    def _failed(self, failure: Failure, table: TableName | None = None) -> None:
        self._app.say(words(failure), Severity.ERROR, table)
        if table is not None:
            self._read_again([table])

    def _read_again(self, tables: Sequence[TableName]) -> None:
        app = self._app
        app.reader.tables(tables)
        if app.current in tables:
            app.detail_pane.entries = None
            app.reader.detail()

    def _reopen(self, name: str, *, unlocked: bool, then: Callable[[], object] | None = None) -> None:
        app = self._app
        assert app.start.reopen is not None
        reopen = app.start.reopen

        def take(service: Service) -> None:
            app.take_service(service, unlocked=unlocked)
            if not unlocked:
                app.say(f"opened profile {name}")
            if then is not None:
                then()

        app.background.do(lambda: reopen(name), take, self._failed)
