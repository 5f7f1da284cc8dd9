"""What `--json` prints, held against the JSON Schema files of the documentation."""

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[1] / "docs" / "schemas"

_OF_WATERMARK = ("get", "set", "reset", "undo", "pin", "unpin")
_COMMANDS = (
    *("store", "accept", "clean", "doctor", "files", "locks", "status", "unlock", "verify"),
    *("list", "history", *_OF_WATERMARK),
    *("sync", "--run"),
)


def schema_of(arguments: Sequence[str]) -> str:
    """The schema of what a command line prints when no error ends it."""
    command = next((word for word in _COMMANDS if word in arguments), "error")
    if command in _OF_WATERMARK:
        return "watermark" if "-t" in arguments else "system"
    if command in ("sync", "--run"):
        return "plan" if "--dry-run" in arguments else "events" if command == "--run" else "sync"
    if command == "files" and {"--skip", "--write-off", "--unskip"} & set(arguments):
        return "decision"
    return command


def read(out: str, arguments: Sequence[str]) -> Any:
    """The one document that a command line printed, held against its schema; without its version."""
    document = json.loads(out)
    check(document, "error" if _is_error(document) else schema_of(arguments))
    return without_version(document)


def read_lines(out: str) -> list[Any]:
    """The same of JSON Lines."""
    lines = [json.loads(line) for line in out.splitlines()]
    for line in lines:
        check(line, "events")
    return [without_version(line) for line in lines]


def without_version(document: Mapping[str, Any]) -> dict[str, Any]:
    """What a document says besides."""
    return {name: value for name, value in document.items() if name != "schema_version"}


def check(document: Any, schema: str) -> None:
    """Raises AssertionError where a document is not as a schema says."""
    error = best_match(_validator(schema).iter_errors(document))
    assert error is None, f"{schema}.json: {error.message} at {error.json_path}"


def _is_error(document: Any) -> bool:
    return set(document) == {"schema_version", "exit_code", "error"}


@cache
def _validator(schema: str) -> Draft202012Validator:
    return Draft202012Validator(_schemas()[schema], registry=_registry())


@cache
def _schemas() -> dict[str, Any]:
    return {path.stem: json.loads(path.read_text()) for path in FOLDER.glob("*.json")}


@cache
def _registry() -> "Registry[Any]":
    resources = [(schema["$id"], Resource.from_contents(schema)) for schema in _schemas().values()]
    return Registry[Any]().with_resources(resources)
