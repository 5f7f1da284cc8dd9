"""Events and results of a sync as JSON."""

from collections.abc import Sequence
from typing import Any

from msgspec.structs import asdict

from wmtui.errors import ExitCode
from wmtui.events import Event, Message, Progress, TableResult
from wmtui.model import utc_now
from wmtui.words.values import exact_instant

_KINDS = {Message: "message", Progress: "progress", TableResult: "result"}


def as_json(event: Event) -> dict[str, Any]:
    """An event with its kind and time (UTC)."""
    fields = _result(event) if isinstance(event, TableResult) else asdict(event)
    return {"event": _KINDS[type(event)], "at": exact_instant(utc_now()), **fields}


def summary(code: ExitCode, results: Sequence[TableResult]) -> dict[str, Any]:
    """What a sync came to."""
    return {"exit_code": int(code), "tables": [_result(result) for result in results]}


def _result(result: TableResult) -> dict[str, Any]:
    return {"code" if name == "exit_code" else name: value for name, value in asdict(result).items()}
