"""The tables of tables.yaml: their settings over the defaults, and what contradicts itself."""

from collections import Counter
from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from wmtui.config.document import At, Document, suggestion
from wmtui.config.schema import TableConfig, TopLevel
from wmtui.model import As, TableName, TargetName

_SESSION = timedelta(hours=10)
"""How far from an extraction files belong to it."""


def read(document: Document, top: TopLevel, home: str) -> dict[TableName, TableConfig]:
    """Every table's settings over the defaults; `schema.table:` without any is enough.

    home: the schema of the warehouse, which a table need not name. Raises ConfigError.
    """
    _check_defaults(document, top.defaults)
    tables: dict[TableName, TableConfig] = {}
    targets: dict[tuple[str, str], TableName] = {}
    plain: TableConfig | None = None
    for text, own in top.tables.items():
        at = ("tables", text)
        name = _table_name(document, text, at)
        if name in tables:
            raise document.error(f"{name} stands twice", "two spellings of one table", at, "remove one")
        is_plain = own is None or own == {}  # As most are, of which there may be ten thousand.
        settings = (plain if is_plain else None) or _settings(document, top.defaults, name, at)
        plain = settings if is_plain else plain
        schema = None if settings.schema == home else settings.schema
        target = settings.target or name.name
        tables[name] = replace(settings, target=str(TargetName(target, schema)))
        # Redshift and DuckDB fold the case of names.
        first = targets.setdefault(((settings.schema or home).lower(), target.lower()), name)
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
    _check_forms(document, defaults.get("as"), at)
    document.convert(defaults, TableConfig, at)
    if "target" in defaults:
        raise document.error("a default target", "two tables cannot share one", (*at, "target"), "remove it")


def _table_name(document: Document, text: str, at: At) -> TableName:
    if set(text) & set("*?"):
        raise document.error(
            f"{text} is a pattern of tables",
            "patterns are not supported: each table is an entry of its own",
            at,
            "name the tables one by one; in the name of a table itself write * as %2A and ? as %3F",
        )
    try:
        return TableName.parse(text)
    except ValueError as error:
        next_step = "write schema.table; a dot inside a name is written %2E"
        raise document.error(f"bad table name {text!r}", str(error), at, next_step) from None


def _settings(document: Document, defaults: dict[str, Any], name: TableName, at: At) -> TableConfig:
    document.check_keys(TableConfig, at)
    own = document.value(at)
    merged = _merged(defaults, own or {}) if isinstance(own, dict | None) else own
    if isinstance(merged, dict):
        _check_forms(document, merged.get("as"), at)
    table = document.convert(merged, TableConfig, at)
    if table.lookback and not table.primary_key:
        raise document.error(
            f"{name} has a lookback but no primary key",
            "reading an overlap again would double its rows",
            (*at, "lookback"),
            "write `lookback: 0s`, or name a primary_key",
        )
    table = _freshness(document, name, table, merged, at)
    if table.list_all_every > _SESSION:
        raise document.error(
            f"{name} lists all days every {table.list_all_every}",
            "a file in an old folder could leave the session window of 10 hours before any run saw it",
            (*at, "list_all_every"),
            "write at most `list_all_every: 10h`",
        )
    _check_target(document, name, table, at)
    _check_order(document, name, table, at)
    return table


def _merged(defaults: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """A table's settings over the defaults; of `freshness` it may say one of the two."""
    merged = {**defaults, **own}
    usual, own_freshness = defaults.get("freshness"), own.get("freshness")
    if isinstance(usual, dict) and isinstance(own_freshness, dict):
        merged["freshness"] = usual | own_freshness
    return merged


def _freshness(document: Document, name: TableName, table: TableConfig, merged: Any, at: At) -> TableConfig:
    """Refuse a warning that comes after the error. A default one comes no later than it."""
    ages, written = table.freshness, (merged or {}).get("freshness") or {}
    if ages.warn <= ages.error:
        return table
    if "warn" not in written:
        return replace(table, freshness=replace(ages, warn=ages.error))
    raise document.error(
        f"{name} is called late after it is called stale",
        f"freshness.warn is {written['warn']}, and freshness.error is {written.get('error', '6h')}",
        (*at, "freshness") if document.value((*at, "freshness")) else ("defaults", "freshness"),
        "make warn the shorter of the two",
    )


def _check_forms(document: Document, forms: Any, at: At) -> None:
    """Refuse a form of columns that there is not, naming the nearest."""
    known = [str(form) for form in As]
    for column, form in forms.items() if isinstance(forms, dict) else ():
        if form not in known:
            raise document.error(
                f"a column cannot be kept as {form}",
                f"valid here: {', '.join(known)}",
                (*at, "as", column),
                suggestion(str(form), known),
            )


def _check_order(document: Document, name: TableName, table: TableConfig, at: At) -> None:
    """Refuse another form of key or cursor, unless its values compare as they did."""
    for column in (table.cursor, *table.primary_key):
        form = table.as_types.get(column, As.UTC_TIMESTAMP)
        if form is not As.UTC_TIMESTAMP:
            raise document.error(
                f"{name} keeps {column} as {form}",
                "it is its cursor, or in its key, and its values would compare otherwise",
                (*at, "as", column),
                f"of a key or cursor only `{As.UTC_TIMESTAMP}` is possible",
            )


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
    twice = [new for new, count in Counter(map(str.lower, table.rename.values())).items() if count > 1]
    if twice:
        why = "two columns would be one"
        raise document.error(f"{name} renames two columns to {twice[0]}", why, (*at, "rename"), "choose another name")
    if table.distkey and table.diststyle:
        why = "a distribution key is a style of its own"
        raise document.error(f"{name} has a diststyle and a distkey", why, (*at, "diststyle"), "remove one of them")
