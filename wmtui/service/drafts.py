"""What a change of a watermark would bring, while somebody still thinks about it."""

from wmtui.files.selection import Choice
from wmtui.model import TableName
from wmtui.service.watermarks import Changed, Watermarks
from wmtui.service.workspace import Workspace
from wmtui.watermarks import changes
from wmtui.watermarks.model import Watermark
from wmtui.watermarks.timestamps import to_instant


class Draft:
    """A change of one table's watermark, not made yet. seen: the watermark it starts from.

    Files are listed once, so that trying many points asks the store once. Nothing is written.
    """

    def __init__(self, workspace: Workspace, watermarks: Watermarks, table: TableName) -> None:
        self._workspace = workspace
        self._watermarks = watermarks
        self._files = workspace.new_filter()
        self._heartbeat = workspace.heartbeat(table)
        self.table = table
        self.seen = watermarks.get(table)

    def set(self, text: str, *, force: bool = False) -> Changed:
        """What `set` would leave, and the files the next load would take then. Raises UsageError for a bad point."""
        wall = self._watermarks.point(text, force=force)
        instant = to_instant(wall, self._workspace.zone)
        return self._changed(self.seen.patched(changes.set_point(self.seen, wall, instant, self._workspace.clock())))

    def reset(self) -> Changed:
        """What `reset` would leave, and the files the next load would take then."""
        return self._changed(self.seen.patched(changes.reset(self.seen)))

    def now(self) -> Changed:
        """The watermark as it is, and the files the next load takes."""
        return self._changed(self.seen)

    def again(self) -> Watermark:
        """The watermark as it is in the store now, whatever was seen. Raises Unreadable."""
        return self._watermarks.get(self.table)

    def _changed(self, mark: Watermark) -> Changed:
        system = self._watermarks.system() if mark.position is None else None
        loading = self._workspace.loading(self.table)
        choice = Choice(all_days=True)
        return Changed(mark, self._files.select(mark, loading, self._heartbeat, system, choice=choice))
