"""Themes: those in `themes/`, and the user's own; a file each."""

from pathlib import Path
from typing import Any

import msgspec
import yaml
from msgspec import Struct
from textual.theme import Theme

from wmtui.errors import ConfigError
from wmtui.tui.state.preferences import folder, remembered_theme

SHIPPED = Path(__file__).parent / "shipped"
"""The `themes` folder; in an installed package a copy of it."""
DEFAULT = "harbour"


class ThemeFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a theme file says; every colour as #rrggbb. good, bad, warn, busy, dim: of statuses."""

    name: str
    dark: bool
    primary: str
    secondary: str
    accent: str
    foreground: str
    background: str
    surface: str
    panel: str
    good: str
    bad: str
    warn: str
    busy: str
    dim: str


class Themes(Struct, frozen=True):
    """The themes that can be chosen, by name, and what is wrong with files that hold none."""

    files: dict[str, Path]
    problems: list[str]


def find() -> Themes:
    """The themes shipped and those of the user's folder; a user's file takes the place of a shipped one of its name."""
    files = {path.stem: path for path in sorted(SHIPPED.glob("*.yaml"))}
    problems = []
    for path in sorted((folder() / "themes").glob("*.yaml")):
        try:
            read(path)
            files[path.stem] = path
        except ConfigError as error:
            problems.append(error.in_one_line)
    return Themes(files, problems)


def path_of(name: str) -> Path:
    """The file of a theme; raises ConfigError when there is none."""
    for place in (folder() / "themes", SHIPPED):
        path = place / f"{name}.yaml"
        if "/" not in name and path.is_file():
            return path
    names = ", ".join(sorted(find().files))
    raise ConfigError(
        f"no theme {name!r}", f"there are {names}", f"choose one, or write {folder() / 'themes'}/{name}.yaml"
    )


def choose(name: str | None) -> tuple[Theme, list[str]]:
    """The theme of this name; None: the one remembered, else ours; and what was wrong with one that could not be used.

    Raises ConfigError where the theme asked for, or ours, cannot be read.
    """
    if name is not None:
        return read(path_of(name)), []
    remembered = remembered_theme()
    if remembered is not None:
        try:
            return read(path_of(remembered)), []
        except ConfigError as error:
            return read(path_of(DEFAULT)), [error.in_one_line]
    return read(path_of(DEFAULT)), []


def read(path: Path) -> Theme:
    """The theme in a file; raises ConfigError that names the file and what is wrong with it."""
    try:
        file = msgspec.convert(yaml.safe_load(path.read_text(encoding="utf-8")), ThemeFile)
        return _theme(path.stem, file)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, msgspec.ValidationError, ValueError) as error:
        why = " ".join(str(error).split())
        raise ConfigError(f"cannot use the theme {path}", why, "see the files in `themes/` for how one looks") from None


def _theme(name: str, file: ThemeFile) -> Theme:
    from textual.color import Color, ColorParseError

    colours: dict[str, Any] = msgspec.structs.asdict(file)
    for field, value in colours.items():
        if field not in ("name", "dark"):
            try:
                Color.parse(value)
            except ColorParseError:
                raise ValueError(f"{field} is {value!r}, not a colour such as #7aa2c9") from None
    background, primary = Color.parse(file.background), Color.parse(file.primary)
    kinds = {kind: colours.pop(kind) for kind in ("good", "bad", "warn", "busy", "dim")}
    colours |= {"name": name, "success": kinds["good"], "error": kinds["bad"], "warning": kinds["warn"]}
    accent, on_accent = colours["accent"], colours["background"]
    return Theme(
        **colours,
        variables={
            **kinds,
            "cursor": background.blend(primary, 0.35).hex,
            "cursor-blurred": background.blend(primary, 0.15).hex,
            "block-cursor-background": colours["primary"],
            "block-cursor-foreground": on_accent,
            "border": accent,
            "border-blurred": colours["panel"],
            "footer-key-foreground": accent,
            "footer-background": colours["surface"],
            "input-cursor-background": accent,
            "input-selection-background": f"{colours['primary']} 35%",
            "scrollbar": colours["panel"],
            "scrollbar-background": colours["background"],
            "scrollbar-corner-color": colours["background"],
        },
    )
