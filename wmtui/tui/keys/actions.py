"""What an operator can do: one table for keys, footer, help, palette and the user's keymap."""

from msgspec import Struct
from textual.binding import Binding


class Action(Struct, frozen=True):
    """name: of the `action_` method, its arguments included. keys: comma-separated. title: as "area: verb".

    footer: its word there; "" for none. changes: it changes something, so it is off where that is refused.
    """

    name: str
    keys: str
    title: str
    footer: str = ""
    changes: bool = False

    @property
    def id(self) -> str:
        """What the keymap calls it."""
        return self.title.split(" (")[0].lower().replace(": ", ".").replace(" ", "-")

    @property
    def area(self) -> str:
        """What it is about: the word before the colon."""
        return self.title.partition(":")[0]

    @property
    def binding(self) -> Binding:
        """Its keys for the screen."""
        return Binding(self.keys, self.name, self.footer or self.title, show=bool(self.footer), id=self.id)


ACTIONS = (
    Action("sync", "s", "Sync: start", "Sync", changes=True),
    Action("edit", "e", "Watermark: edit", "Edit", changes=True),
    Action("undo", "u", "Watermark: undo", "Undo", changes=True),
    Action("filter", "slash", "Tables: filter (in the log: search)", "Filter"),
    Action("tab('files')", "f", "Files: show (every verdict)", "Files"),
    Action("help", "question_mark,f1", "Help: keys", "Help"),
    Action("command_palette", "ctrl+p", "View: commands", "Commands"),
    Action("reset", "r", "Watermark: reset", changes=True),
    Action("pin", "P", "Watermark: pin (or unpin)", changes=True),
    Action("system", "S", "System watermark: set", changes=True),
    Action("cancel", "x", "Sync: cancel (between parts)"),
    Action("unlock", "U", "Lock: break (a dead run's)", changes=True),
    Action("refresh", "ctrl+r", "Tables: refresh"),
    Action("order", "o", "Tables: sort"),
    Action("mark", "space", "Tables: mark (for a bulk action)"),
    Action("mark_all", "a", "Tables: mark all (shown, or none)"),
    Action("jump", "colon", "Tables: jump (to one)"),
    Action("problems", "exclamation_mark", "Tables: problems (by cause)"),
    Action("tab('fields')", "w", "Watermark: show"),
    Action("tab('history')", "h", "History: show (every change)"),
    Action("next_tab(1)", "right_square_bracket", "View: next tab"),
    Action("next_tab(-1)", "left_square_bracket", "View: previous tab"),
    Action("kept", "t", "Files: narrow (to kept, to dropped)"),
    Action("restore", "R", "History: restore (the entry under the cursor)", changes=True),
    Action("copy", "y", "View: copy (the line under the cursor)"),
    Action("zoom", "z", "View: zoom (the pane)"),
    Action("pane(1)", "1", "View: tables"),
    Action("pane(2)", "2", "View: watermark"),
    Action("pane(3)", "3", "View: sync log"),
    Action("follow", "F", "Log: follow (or pause)"),
    Action("level", "l", "Log: level (least severity shown)"),
    Action("save_log", "ctrl+s", "Log: save (to a file)"),
    Action("profile", "p", "Profile: switch"),
    Action("theme", "T", "View: theme"),
    Action("picture", "f12", "View: picture (as SVG and PNG)"),
    Action("quit", "q,ctrl+q,ctrl+c", "Quit"),
    Action("back", "escape", "View: back"),
)
CHANGES = {action.name.split("(")[0] for action in ACTIONS if action.changes}

_NAMES = {"slash": "/", "colon": ":", "question_mark": "?", "exclamation_mark": "!", "left_square_bracket": "[",
          "right_square_bracket": "]", "escape": "Esc", "space": "Space"}  # fmt: skip


def format_key(key: str) -> str:
    """A key as it is printed on a keyboard: `ctrl+s` is ^s."""
    key = key.strip()
    return _NAMES.get(key, key.replace("ctrl+", "^"))
