"""Where the sandbox is, and how it is made: in a folder beside it, then renamed, so that it is never incomplete."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wmtui.config import Settings, load
from wmtui.demo.clock import SandboxClock, in_use, start_clock
from wmtui.errors import Conflict, UsageError
from wmtui.model import Clock
from wmtui.objects.atomic_files import locked
from wmtui.objects.file_errors import explain

MARKER = "wmtui-demo-sandbox"
"""File that says that a folder is a sandbox, which `--demo-reset` may delete; it holds where the store is."""
CONFIGURATION = "tables.yaml"
LAKE = "lake"
_CLOCK = "clock"

Progress = Callable[[str], None]


def open_demo(directory: Path | None, reset: bool, progress: Progress) -> tuple[Settings, Clock]:
    """The sandbox's configuration and clock; it is made on first use, in seconds, with lines of progress.

    directory: None for the user's cache folder. reset: make it again. Raises UsageError for a folder that is not a
    sandbox, Conflict for a reset while it is open, StoreError where it cannot be written. Safe to call from
    several processes at once: one makes it, the others wait.
    """
    folder = _resolved(directory or default_folder())
    is_sandbox(folder)
    with _explained(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        with locked(folder.with_name(f".{folder.name}.lock")):
            if reset and is_sandbox(folder):
                _reset(folder)
            if not is_sandbox(folder):
                _make(folder, progress)
            _settle(folder)
            return load(folder / CONFIGURATION), SandboxClock(folder / _CLOCK)


def default_folder() -> Path:
    """`wmtui/demo` in the user's cache folder, as the XDG base directory specification and macOS have it."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if named.is_absolute():
        return named / "wmtui" / "demo"
    return Path("~/Library/Caches" if sys.platform == "darwin" else "~/.cache") / "wmtui" / "demo"


def is_sandbox(folder: Path) -> bool:
    """Whether there is a sandbox; False where one can be made. Raises UsageError for anything else."""
    if (folder / MARKER).is_file():
        return True
    with _explained(folder):
        if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
            return False
    raise UsageError(
        f"{folder} is not a demo sandbox",
        f"there is something else, without {MARKER} in it; it was left as it is",
        "name a new folder with --demo-dir",
    )


def _resolved(folder: Path) -> Path:
    try:
        return folder.expanduser().resolve()
    except RuntimeError:
        raise UsageError(
            "no place for the demo's sandbox", "this account has no home folder", "name a folder with --demo-dir"
        ) from None


def _reset(folder: Path) -> None:
    if in_use(folder / _CLOCK):
        raise Conflict(
            f"the demo sandbox {folder} is in use",
            "another wmtui has it open, and would lose its files",
            "end it first, or name another folder with --demo-dir",
        )
    discarded = folder.with_name(f".{folder.name}.discarded")
    _remove(discarded)
    folder.rename(discarded)
    _remove(discarded)


def _make(folder: Path, progress: Progress) -> None:
    """Make the sandbox in a folder beside it; it exists from the rename on."""
    from wmtui.demo.replay import MOMENT, make_history
    from wmtui.demo.sample_data import make_configuration, make_source

    progress(f"making the demo sandbox in {folder}")
    building = folder.with_name(f".{folder.name}.building")
    _remove(building)
    try:
        building.mkdir(exist_ok=True)
        _mark(building, building / LAKE)
        (building / LAKE).mkdir()
        make_configuration(building / CONFIGURATION)
        progress(f"  source: {make_source(load(building / CONFIGURATION), MOMENT):,} rows")
        make_history(load(building / CONFIGURATION), progress)
        start_clock(building / _CLOCK, MOMENT)
        _settle(building, at=folder)
        building.rename(folder)
    finally:
        _remove(building)


def _settle(folder: Path, at: Path | None = None) -> None:
    """Let a sandbox in `folder` know its path: `at` if it is still to be renamed to that, else `folder`."""
    lake = (at or folder) / LAKE
    known = Path(os.fsdecode((folder / MARKER).read_bytes()))
    if known != lake:
        from wmtui.demo.relocation import update_address

        update_address(load(folder / CONFIGURATION), known, lake)
        _mark(folder, lake)


def _mark(folder: Path, lake: Path) -> None:
    written = folder.with_name(f".{folder.name}.marker")
    written.write_bytes(os.fsencode(lake))
    written.replace(folder / MARKER)


def _remove(folder: Path) -> None:
    """Delete a sandbox, its marker last, so that what a kill leaves is still known as one."""
    if not folder.is_dir() or not is_sandbox(folder):
        return
    for child in folder.iterdir():
        if child.is_dir() and not child.is_symlink():
            shutil.rmtree(child)
        elif child.name != MARKER:
            child.unlink()
    shutil.rmtree(folder)


@contextmanager
def _explained(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise explain(error, f"cannot use {folder} for the demo") from error
