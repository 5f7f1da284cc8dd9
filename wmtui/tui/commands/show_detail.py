"""What keys do to the pane of one table: its tabs, its files, the line under the cursor."""

import textwrap

from wmtui.secrets import redact
from wmtui.service import Entry, Selection, Verdict
from wmtui.tui.dialogs.base import texts
from wmtui.tui.dialogs.pick import TEXT_WIDTH, TextDialog
from wmtui.tui.panes.detail import TABS, Change, Field
from wmtui.tui.shell import Shell
from wmtui.tui.state.walkthrough import Step
from wmtui.words import values


def open_tab(shell: Shell, tab: str) -> None:
    """Open a tab of the detail pane."""
    pane = shell.main.detail_pane
    pane.open(tab)
    if tab == "history" and pane.entries is None:
        shell.read_history()
    if tab == "files":
        shell.main.walkthrough.done(Step.WHY_SEEN)


def open_next_tab(shell: Shell, by: int) -> None:
    """Open the tab so many places beside the open one."""
    open_tab(shell, TABS[(TABS.index(shell.main.detail_pane.tab) + by) % len(TABS)])


def narrow_files(shell: Shell) -> None:
    """Show all files, only those that are kept, or only those that are dropped, in turn."""
    open_tab(shell, "files")
    shell.main.detail_pane.toggle_kept()


async def show_line(shell: Shell, item: object) -> None:
    """Show everything about a line, for which a pane may be too narrow."""
    detail = shell.main.detail_pane.detail
    title, text = _full_text(item, detail.selection if detail else None)
    lines = [piece for line in text.split("\n") for piece in textwrap.wrap(line, TEXT_WIDTH) or [""]]
    await shell.open_dialog(TextDialog(title, texts(*lines)))


def copy_line(shell: Shell) -> None:
    """Copy what the cursor is on, without secrets."""
    item = getattr(shell.main.focused, "current", None)
    text = _copied_text(item) if item is not None else None
    if text:
        shell.copy_to_clipboard(redact(text))
        shell.notify(f"copied {text[:80]}")


def _full_text(item: object, selection: Selection | None) -> tuple[str, str]:
    """A title, and every word of the item."""
    if isinstance(item, Verdict) and selection is not None:
        file = item.file
        lines = [f"{file.uri}", "", f"{item.outcome}: {selection.explain(item)}"]
        lines += [f"modified {values.instant(file.last_modified)}, {values.size(file.size)}, ETag {file.etag}"]
        return "File", values.printable("\n".join(lines))
    if isinstance(item, Change) and isinstance(item.entry, Entry):
        entry = item.entry
        lines = [f"{entry.action} by {entry.actor or 'somebody'}@{entry.host or '?'} at {entry.at or '?'}"]
        lines += [f"because: {entry.reason}"] if entry.reason else []
        lines += ["", *(f"{name}: {before} → {after}" for name, (before, after) in entry.diff.items())]
        return f"Change {entry.serial or 'made outside'}", values.printable("\n".join(lines))
    return "Line", values.printable(_copied_text(item) or "")


def _copied_text(item: object) -> str | None:
    """What of a line is worth copying."""
    if isinstance(item, Field):
        return item.value
    if isinstance(item, Verdict):
        return item.file.uri
    if isinstance(item, Change):
        return "".join(text for text, _ in item.line).strip()
    return str(item)
