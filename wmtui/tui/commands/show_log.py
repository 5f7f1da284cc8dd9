"""What keys do to the sync log."""

from pathlib import Path

from wmtui.errors import UsageError
from wmtui.tui.commands.reports import report_failure
from wmtui.tui.image_file import file_stem
from wmtui.tui.shell import Shell


def follow_log(shell: Shell) -> None:
    """Follow the newest line, or stop following."""
    pane = shell.main.log_pane
    pane.follow(not pane.following)


def raise_log_level(shell: Shell) -> None:
    """Hide less severe lines; after the highest level, show all again."""
    shell.main.log_pane.raise_level()


def save_log(shell: Shell) -> None:
    """Save what the log shows, in the folder wmtui was started in."""
    path = Path(f"{file_stem(shell.service.workspace)}.log")
    try:
        path.write_text(shell.main.log_pane.text(), encoding="utf-8")
    except OSError as error:
        failure = UsageError(f"cannot write {path}", error.strerror or "", "start wmtui where you may write")
        report_failure(shell, failure)
    else:
        shell.notify(f"saved {path.resolve()}")
