"""Reading tables.yaml for one profile."""

import os
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from wmtui.config import profiles
from wmtui.config.document import At, Document
from wmtui.config.schema import Profile, Settings, TableConfig, TopLevel
from wmtui.model import TableName, TargetName

DEFAULT_PATH = "tables.yaml"


def load(path: str | Path = DEFAULT_PATH, profile: str | None = None, env: Mapping[str, str] = os.environ) -> Settings:
    """Read a configuration file for one profile (default: `default_profile`, else the only one).

    Keys are checked in the whole file, values in all but the profiles that were not chosen: their `${ENV}` may be
    unset. Raises ConfigError with file, line, reason and next step.
    """
    document = Document(Path(path))
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
        tables=_tables(document, top, getattr(read.warehouse, "schema", "main")),
        presets=_presets(document, top.presets),
        warnings=tuple(profiles.literal_passwords(document, top.profiles)),
        profiles=tuple(top.profiles),
    )


def _tables(document: Document, top: TopLevel, home: str) -> dict[TableName, TableConfig]:
    _check_defaults(document, top.defaults)
    tables: dict[TableName, TableConfig] = {}
    targets: dict[str, TableName] = {}
    for text in top.tables:
        at = ("tables", text)
        name = _table_name(document, text, at)
        if name in tables:
            raise document.error(f"{name} stands twice", "two spellings of one table", at, "remove one")
        tables[name] = _table(document, top, name, at, home)
        # Redshift and DuckDB fold the case of names.
        first = targets.setdefault(tables[name].target.casefold(), name)
        if first != name:
            raise document.error(
                f"{first} and {name} have the same target {tables[name].target}",
                "their rows would mix",
                (*at, "target"),
                f"give {name} a target of its own",
            )
    if not tables:
        raise document.error("no tables", "there is nothing to do", ("tables",), "add one: schema.table: {}")
    return tables


def _check_defaults(document: Document, defaults: dict[str, Any]) -> None:
    at = ("defaults",)
    document.check_keys(TableConfig, at)
    document.convert(defaults, TableConfig, at)
    if "target" in defaults:
        raise document.error("a default target", "two tables cannot share one", (*at, "target"), "remove it")


def _table_name(document: Document, text: str, at: At) -> TableName:
    try:
        return TableName.parse(text)
    except ValueError as error:
        next_step = "write schema.table; a dot inside a name is written %2E"
        raise document.error(f"bad table name {text!r}", str(error), at, next_step) from None


def _table(document: Document, top: TopLevel, name: TableName, at: At, home: str) -> TableConfig:
    """One table's settings over the defaults; `schema.table:` without any is enough. home: the warehouse's schema."""
    document.check_keys(TableConfig, at)
    own = document.value(at)
    merged = {**top.defaults, **(own or {})} if isinstance(own, dict | None) else own
    table = document.convert(merged, TableConfig, at)
    if table.lookback and not table.primary_key:
        raise document.error(
            f"{name} has a lookback but no primary key",
            "reading an overlap again would double its rows",
            (*at, "lookback"),
            "write `lookback: 0s`, or name a primary_key",
        )
    _check_target(document, name, table, at)
    schema = None if table.schema == home else table.schema
    return msgspec.structs.replace(table, target=str(TargetName(table.target or name.name, schema)))


def _check_target(document: Document, name: TableName, table: TableConfig, at: At) -> None:
    """Refuse a target that is two names, and settings of columns that contradict one another."""
    schema, dot, target = table.target.partition(".")
    if dot:
        raise document.error(
            f"the target of {name} has a dot in its name",
            "a target is one name; its schema is a setting of its own",
            (*at, "target"),
            f"write `schema: {schema}` and `target: {target}`",
        )
    for column in (table.cursor, *table.primary_key, *filter(None, (table.distkey,)), *table.sortkey):
        if column in table.exclude:
            raise document.error(
                f"{name} excludes {column}",
                "it is its cursor, or in a key",
                (*at, "exclude"),
                "take it off one of the lists",
            )
    twice = [new for new, count in Counter(map(str.casefold, table.rename.values())).items() if count > 1]
    if twice:
        why = "two columns would be one"
        raise document.error(f"{name} renames two columns to {twice[0]}", why, (*at, "rename"), "choose another name")
    if table.distkey and table.diststyle:
        why = "a distribution key is a style of its own"
        raise document.error(f"{name} has a diststyle and a distkey", why, (*at, "diststyle"), "remove one of them")


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
