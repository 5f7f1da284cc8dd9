"""What the user chose, kept in the configuration folder: the theme; and files the user writes there, the keymap."""

import os
import sys
from pathlib import Path
from typing import Any

import yaml

from wmtui.errors import ConfigError


def folder() -> Path:
    """`wmtui` in the user's configuration folder, as the XDG base directory specification and macOS have it."""
    named = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    if named.is_absolute():
        return named / "wmtui"
    return Path("~/Library/Application Support" if sys.platform == "darwin" else "~/.config").expanduser() / "wmtui"


def remembered_theme() -> str | None:
    """The theme chosen last; None when there is none, or what is kept cannot be read."""
    try:
        chosen = _mapping(folder() / "preferences.yaml").get("theme")
    except ConfigError:
        return None
    return chosen if isinstance(chosen, str) else None


def remember_theme(name: str) -> None:
    """Keep a choice. Raises ConfigError when it cannot be written."""
    path = folder() / "preferences.yaml"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump({"theme": name}), encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"cannot remember the theme in {path}", error.strerror or "", "choose it with --theme"
        ) from None


def keymap(actions: set[str]) -> tuple[dict[str, str], list[str]]:
    """The user's keys by action, from `keymap.yaml`, and what is wrong with lines of it; the others hold."""
    path = folder() / "keymap.yaml"
    try:
        entries = _mapping(path)
    except ConfigError as error:
        return {}, [error.in_one_line]
    keys, problems = {}, []
    for action, key in entries.items():
        if action not in actions:
            problems.append(f"{path}: unknown action {action!r}; there are {', '.join(sorted(actions))}")
        elif not isinstance(key, str) or not key:
            problems.append(f"{path}: {action} needs a key such as ctrl+s, not {key!r}")
        else:
            keys[action] = key
    return keys, problems


def _mapping(path: Path) -> dict[Any, Any]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"cannot read {path}", " ".join(str(error).split()), "mend it, or remove it") from None
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise ConfigError(f"cannot use {path}", "it is no mapping of names to values", "mend it, or remove it")
    return content
