"""What follows when a sandbox is moved: the store holds its own address, and refuses writes from another."""

import json
import os
from pathlib import Path

from wmtui.config import Settings
from wmtui.layout import STORE


def update_address(settings: Settings, old: Path, new: Path) -> None:
    """Replace the address in the store after a move from `old` to `new`; a second time changes nothing."""
    _replace(
        Path(settings.store.root, STORE),
        _json_start(f"{old}/"),
        _json_start(f"{new}/"),
        settings.path.parent / "moving",
    )


def _json_start(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[:-1]


def _replace(file: Path, old: str, new: str, temporary: Path) -> None:
    """Change a file's text atomically, by way of a temporary file, and keep its mtime: it is in the sandbox's time."""
    status = file.stat()
    temporary.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    os.utime(temporary, ns=(status.st_atime_ns, status.st_mtime_ns))
    temporary.replace(file)
