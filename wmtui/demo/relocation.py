"""What follows when a sandbox is moved: its store is to be written from its new place."""

import json
import os
from pathlib import Path

from wmtui.config import Settings
from wmtui.layout import STORE


def readdress(settings: Settings, old: Path, new: Path) -> None:
    """Let the store know the place it was moved to as its own; doing it twice is doing it once."""
    _replace(
        Path(settings.store.root, STORE),
        _json_start(f"{old}/"),
        _json_start(f"{new}/"),
        settings.path.parent / "moving",
    )


def _json_start(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[:-1]


def _replace(file: Path, old: str, new: str, spare: Path) -> None:
    """Change a file's text, by way of a spare one, and keep its time, which is the sandbox's."""
    status = file.stat()
    spare.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    os.utime(spare, ns=(status.st_atime_ns, status.st_mtime_ns))
    spare.replace(file)
