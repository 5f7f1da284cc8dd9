"""The command that does the same as a dialog."""

import shlex
from dataclasses import dataclass


@dataclass(frozen=True)
class Equal:
    """options: how the screen was started: `--demo`, or configuration and profile. protected: a reason is needed."""

    options: tuple[str, ...] = ()

    def command(self, *words: str, reason: str = "", force: bool = False) -> str:
        """A line for a shell."""
        why = ("--reason", reason) if reason else ()
        return shlex.join(["wmtui", *self.options, *words, *why, *(("--force",) if force else ())])
