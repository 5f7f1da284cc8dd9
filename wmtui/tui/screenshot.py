"""`--screenshot`: save a picture once everything has been read, then leave."""

from pathlib import Path

from wmtui.errors import ExitCode, WmtuiError
from wmtui.tui import image_file
from wmtui.tui.refresh import TableReader
from wmtui.tui.shell import Shell


class Screenshot:
    """The picture that the command line asks for."""

    def __init__(self, shell: Shell, reader: TableReader, path: Path) -> None:
        self._shell = shell
        self._reader = reader
        self._path = path
        self._taken = False
        self._not_saved: WmtuiError | None = None

    @property
    def failure(self) -> WmtuiError | None:
        """Why there is no picture."""
        return self._not_saved or self._reader.failure

    def take_when_complete(self) -> None:
        """Save the picture if everything has been read; to be called again and again until the screen ends."""
        if self._taken or self._is_reading:
            return
        if self._reader.age is None and self.failure is None:  # Nothing has been asked yet.
            return
        if self.failure is not None:
            self._taken = True
            self._shell.leave(ExitCode.UNREACHABLE)
            return
        table = self._shell.start.table or next(iter(self._shell.table_state.visible()), None)
        if self._shell.main.detail_pane.table != table:
            self._shell.arrange(table)
            self._shell.read_detail()
        else:
            self._taken = True
            self._shell.main.call_after_refresh(self._take)

    @property
    def _is_reading(self) -> bool:
        """Something is asked, or what was read is not shown yet; a cursor that settles asks soon."""
        return bool(self._shell.background.busy) or self._reader.busy or not self._reader.still

    def _take(self) -> None:
        if self._is_reading:  # It began again meanwhile: what is shown may be half of two readings.
            self._taken = False
            return
        title = image_file.title(self._shell.service.workspace)
        try:
            image_file.save(self._shell.export_screenshot(title=title), self._path)
        except WmtuiError as error:
            self._not_saved = error
        self._shell.leave(ExitCode.DONE if self._not_saved is None else ExitCode.USAGE)
