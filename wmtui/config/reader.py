"""Reading tables.yaml for one profile."""

import gc
import os
import re
from collections.abc import Mapping
from pathlib import Path

from wmtui.config import profiles, tables
from wmtui.config.document import Document
from wmtui.config.schema import Profile, Settings, TopLevel
from wmtui.secrets import know_environment

DEFAULT_PATH = "tables.yaml"


def load(path: str | Path = DEFAULT_PATH, profile: str | None = None, env: Mapping[str, str] = os.environ) -> Settings:
    """Read a configuration file for one profile (default: `default_profile`, else the only one).

    Keys are checked in the whole file, values in all but the profiles that were not chosen: their `${ENV}` may be
    unset. Raises ConfigError with file, line, reason and next step.
    """
    know_environment(env)
    collecting = gc.isenabled()
    gc.disable()  # Nothing that is read here becomes garbage, and of many tables it is much to walk through.
    try:
        return _read(Path(path), profile, env)
    finally:
        if collecting:
            gc.enable()


def _read(path: Path, profile: str | None, env: Mapping[str, str]) -> Settings:
    document = Document(path)
    document.check_keys(TopLevel, ())
    top = document.convert(document.raw, TopLevel, ())
    for name in top.profiles:
        document.check_keys(Profile, ("profiles", name))
    chosen = profiles.choose(document, top, profile)
    read = profiles.read(document, chosen, env)
    return Settings(
        path=document.path,
        profile_name=chosen,
        named=profile is not None,
        profile=read,
        tables=tables.read(document, top, getattr(read.warehouse, "schema", "main")),
        presets=_presets(document, top.presets),
        warnings=tuple(profiles.literal_passwords(document, top.profiles)),
        profiles=tuple(top.profiles),
        is_default=top.default_profile in (None, chosen),
    )


def _presets(document: Document, presets: dict[str, str]) -> dict[str, str]:
    for name in presets:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
            raise document.error(
                f"bad preset name {name!r}",
                "a preset is a word",
                ("presets", name),
                "use letters, digits, - and _, beginning with a letter",
            )
    return presets
