"""What an operator can do: one table for keys, footer, help, palette and the user's keymap."""

from functools import partial

from wmtui.tui.commands.arrange_screen import focus_pane, go_back, zoom
from wmtui.tui.commands.break_lock import break_lock
from wmtui.tui.commands.choose_theme import choose_theme
from wmtui.tui.commands.edit_watermark import edit, reset, set_system_watermark
from wmtui.tui.commands.list_tables import (
    filter_or_search,
    jump,
    mark,
    mark_all,
    refresh,
    show_problems,
    sort,
)
from wmtui.tui.commands.palette import open_palette
from wmtui.tui.commands.pin_watermark import pin
from wmtui.tui.commands.profile import switch_profile
from wmtui.tui.commands.quit_screen import quit_screen
from wmtui.tui.commands.run_sync import cancel_sync, start_sync
from wmtui.tui.commands.save_screenshot import save_screenshot
from wmtui.tui.commands.show_detail import copy_line, narrow_files, open_next_tab, open_tab
from wmtui.tui.commands.show_help import show_help
from wmtui.tui.commands.show_log import follow_log, raise_log_level, save_log
from wmtui.tui.commands.undo import restore, undo
from wmtui.tui.shell import Action

ACTIONS = (
    Action(start_sync, "s", "Sync: start", "Sync", changes=True),
    Action(edit, "e", "Watermark: edit", "Edit", changes=True),
    Action(undo, "u", "Watermark: undo", "Undo", changes=True),
    Action(filter_or_search, "slash", "Tables: filter (in the log: search)", "Filter"),
    Action(partial(open_tab, tab="files"), "f", "Files: show (every verdict)", "Files"),
    Action(show_help, "question_mark,f1", "Help: keys", "Help"),
    Action(open_palette, "ctrl+p", "View: commands", "Commands"),
    Action(reset, "r", "Watermark: reset", changes=True),
    Action(pin, "P", "Watermark: pin (or unpin)", changes=True),
    Action(set_system_watermark, "S", "System watermark: set", changes=True),
    Action(cancel_sync, "x", "Sync: cancel (between parts)"),
    Action(break_lock, "U", "Lock: break (a dead run's)", changes=True),
    Action(refresh, "ctrl+r", "Tables: refresh"),
    Action(sort, "o", "Tables: sort"),
    Action(mark, "space", "Tables: mark (for a bulk action)"),
    Action(mark_all, "a", "Tables: mark all (shown, or none)"),
    Action(jump, "colon", "Tables: jump (to one)"),
    Action(show_problems, "exclamation_mark", "Tables: problems (by cause)"),
    Action(partial(open_tab, tab="fields"), "w", "Watermark: show"),
    Action(partial(open_tab, tab="history"), "h", "History: show (every change)"),
    Action(partial(open_next_tab, by=1), "right_square_bracket", "View: next tab"),
    Action(partial(open_next_tab, by=-1), "left_square_bracket", "View: previous tab"),
    Action(narrow_files, "t", "Files: narrow (to kept, to dropped)"),
    Action(restore, "R", "History: restore (the entry under the cursor)", changes=True),
    Action(copy_line, "y", "View: copy (the line under the cursor)"),
    Action(zoom, "z", "View: zoom (the pane)"),
    Action(partial(focus_pane, number=1), "1", "View: tables"),
    Action(partial(focus_pane, number=2), "2", "View: watermark"),
    Action(partial(focus_pane, number=3), "3", "View: sync log"),
    Action(follow_log, "F", "Log: follow (or pause)"),
    Action(raise_log_level, "l", "Log: level (least severity shown)"),
    Action(save_log, "ctrl+s", "Log: save (to a file)"),
    Action(switch_profile, "p", "Profile: switch"),
    Action(choose_theme, "T", "View: theme"),
    Action(save_screenshot, "f12", "View: picture (as SVG and PNG)"),
    Action(quit_screen, "q,ctrl+q,ctrl+c", "Quit"),
    Action(go_back, "escape", "View: back"),
)
ACTION_BY_ID = {action.id: action for action in ACTIONS}
