"""`python -m tests.json_page`: print docs/json.md from the JSON Schema files."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.schemas import FOLDER

PAGE = FOLDER.parent / "json.md"
Schema = Mapping[str, Any]

_HEAD = """\
# JSON

With `--json` a command prints one document on stdout, and everything else goes to stderr. `--run --json` prints JSON
Lines: a document for every event, and a summary as the last. What a document looks like is in [JSON Schema](schemas)
files; tests hold what every command prints to them. This page is written from them.

- Every document and every line has `schema_version`, which is 1. It grows when a field goes away or means something
  else; fields may be added without that.
- `exit_code` is what the command ends with, `code` what this one table would end with alone.
- An error is `{code, kind, what, why, next}`: [errors](errors.md). One that ends the command is printed as a document
  of its own, [error](#error), also where there is no such command.
- A table whose watermark is pinned has the status `pinned`, one that another run holds `held`; in `--run` a pin alone
  ends with 0.
- Instants are ISO 8601 in UTC. Points of a watermark are wall clock in the profile's time zone.
- What `watermark get --json` prints, `watermark set --from-file` takes.
"""
_ORDER = ("error", "watermark", "system", "list", "history", "sync", "events", "plan", "files", "decision", "status")


def page() -> str:
    """The whole page."""
    schemas = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
    common = schemas.pop("common")["$defs"]
    names = [*_ORDER, *sorted(set(schemas) - set(_ORDER))]
    shared = [f"\n## {name}\n\n{_described(common[name])}" for name in ("result", "document", "selection")]
    return _HEAD + "".join(_section(name, schemas[name]) for name in names) + "".join(shared)


def _section(name: str, schema: Schema) -> str:
    return f"\n## {name}\n\n{schema['description']} [Schema](schemas/{name}.json)\n\n" + "".join(_tables(schema))


def _tables(schema: Schema) -> Iterator[str]:
    if "oneOf" in schema:
        for variant in schema["oneOf"]:
            yield f"A line with `event` {json.dumps(variant['properties']['event']['const'])}:\n\n{_table(variant)}\n"
        return
    if "allOf" in schema:
        yield "The [document](#document), and besides:\n\n"
    yield _table(schema)


def _described(schema: Schema) -> str:
    return f"{schema['description']}\n\n{_table(schema)}"


def _table(schema: Schema) -> str:
    lines = [
        f"| `{name}` | {_type(each)}{'' if name in schema['required'] else ', may be absent'} |\n"
        for name, each in schema["properties"].items()
        if name not in ("schema_version", "event")
    ]
    return "| field | |\n|---|---|\n" + "".join(lines)


def _type(schema: Schema | bool) -> str:
    """A schema in words."""
    if isinstance(schema, bool):
        return "any value"
    if "$ref" in schema:
        return _referred(schema["$ref"])
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if "enum" in schema:
        return " or ".join(f"`{json.dumps(value)}`" for value in schema["enum"])
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(map(_type, schema[several]))
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(_kind(kind, schema) for kind in kinds)


def _kind(kind: str, schema: Schema) -> str:
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if kind == "object" and "properties" in schema:
        inner = (f"`{name}`: {_type(each)}" for name, each in schema["properties"].items())
        return "{" + ", ".join(inner) + "}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return {"string": "text", "integer": "whole number", "boolean": "true or false"}.get(kind, kind)


def _referred(reference: str) -> str:
    name = reference.rpartition("#/$defs/")[2]
    if "/properties/" in name:
        owner, _, field = name.partition("/properties/")
        return f"as `{field}` of {_type_of_common(owner)}"
    return _type_of_common(name)


def _type_of_common(name: str) -> str:
    words = {"exit_code": "exit code", "time": "instant", "error": "[error](errors.md)"}
    words["optional_error"] = "[error](errors.md) or null"
    links = ("result", "document", "selection")
    if name in links:
        return f"[{name}](#{name})"
    return words.get(name) or f"a {name}: " + _type(json.loads(Path(FOLDER / "common.json").read_text())["$defs"][name])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
