"""How the screen is opened."""

from collections.abc import Callable, Sequence
from pathlib import Path

from msgspec import Struct

from wmtui.model import TableName
from wmtui.service import Service


class Start(Struct, kw_only=True):
    """What the command line says.

    reopen: reads configuration, environment and credentials again, for a profile by name; None: the demo, which has
    one. profiles: their names. options: of equivalent commands, such as `--demo`. theme: None for the one that was
    remembered. walkthrough: the demo's line of next steps is shown. table: where the cursor begins; None: the first.
    picture: where to save a picture of every table, then leave; None: the screen is for people.
    """

    service: Service
    reopen: Callable[[str], Service] | None = None
    profiles: Sequence[str] = ()
    options: tuple[str, ...] = ()
    theme: str | None = None
    ascii_only: bool = False
    walkthrough: bool = False
    table: TableName | None = None
    picture: Path | None = None
