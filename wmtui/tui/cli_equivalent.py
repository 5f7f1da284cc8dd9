"""The command that does the same as a dialog."""

import shlex
from collections.abc import Sequence

from msgspec import Struct

from wmtui.model import TableName

_NAMED = 3
"""More tables than these are counted, not named."""


class CliEquivalent(Struct, frozen=True):
    """options: how the screen was started: `--demo`, or configuration and profile."""

    options: tuple[str, ...] = ()

    def command(
        self, *words: str, tables: Sequence[TableName] = (), single: bool = False, reason: str = "", force: bool = False
    ) -> str:
        """A line for a shell. tables: as `-t` each; single: the command takes one, so it is the first of several."""
        named = tables if not single and len(tables) <= _NAMED else tables[:1]
        of = [word for table in named for word in ("-t", str(table))]
        why = ("--reason", reason) if reason else ()
        line = shlex.join(["wmtui", *self.options, *words, *of, *why, *(("--force",) if force else ())])
        left = len(tables) - len(named)
        return f"{line} (and so for {left} more)" if left else line
