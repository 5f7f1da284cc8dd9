"""What `as:` makes of a column on its way into the target: another form of the same values, or a refusal."""

import json
from decimal import Context, Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from wmtui.column_types import INSTANT, TIMESTAMP, max_bytes
from wmtui.errors import UnsupportedValue
from wmtui.model import As
from wmtui.warehouses.load.types import carried_field
from wmtui.warehouses.load_request import Naming

_DATE_LENGTH = len("2025-01-01")
_TIMESTAMP_LENGTH = len("2025-01-01 00:00:00.000000")
_INTEGER_DIGITS = {8: 3, 16: 5, 32: 10, 64: 20}
_EXACT = Context(prec=100_000)


def converted(field: pa.Field, how: As | None) -> pa.Field | None:
    """The field that carries another one's values in the form of `as`; None where they have no such form."""
    kind = field.type
    if how is None:
        return field
    if how in (As.UTC_TIMESTAMP, As.LOCAL_TIMESTAMP):
        return carried_field(field.name, TIMESTAMP, None) if kind == INSTANT else None
    if how is As.BOOLEAN:
        holds = pa.types.is_integer(kind) or pa.types.is_boolean(kind)
        return carried_field(field.name, pa.bool_(), None) if holds else None
    if pa.types.is_string(kind):
        return carried_field(field.name, kind, max_bytes(field), json=how is As.JSON)
    width = _text_length(kind)
    return None if how is As.JSON or width is None else carried_field(field.name, pa.string(), width)


def target_field(field: pa.Field, naming: Naming) -> pa.Field:
    """A carried field as the target is to keep it. Raises UnsupportedValue when its values have no such form."""
    how = naming.as_types.get(field.name)
    target = converted(field, how)
    if target is None:
        raise UnsupportedValue(
            f"column {field.name} has type {field.type}",
            f"tables.yaml keeps it as {how}, and such values have no form like that",
            "correct `as` in tables.yaml",
        )
    return target


def convert(array: pa.Array, how: As, zone: str) -> pa.Array:
    """Carried values in the form of `as`. Raises ValueError, with the value in its text, where one has none."""
    kind = array.type
    if (row := unfit_row(array, how)) is not None:
        raise ValueError(f"{_shortened(str(array[row]))} is {no_form(how)}")
    if how is As.UTC_TIMESTAMP:
        return array.cast(TIMESTAMP)
    if how is As.LOCAL_TIMESTAMP:
        return pc.local_timestamp(array.cast(pa.timestamp("us", zone)))
    if how is As.BOOLEAN:
        return array if pa.types.is_boolean(kind) else pc.equal(array, pa.scalar(1, kind))
    return array if pa.types.is_string(kind) else _texts(array)


def unfit_row(array: pa.Array, how: As) -> int | None:
    """The first row whose value has no form like that; None when all have."""
    row = -1
    if how is As.BOOLEAN and not pa.types.is_boolean(array.type):
        known = pc.is_in(array, pa.array([None, 0, 1], array.type))
        row = pc.index(known, False).as_py()
    if how is As.JSON:
        row = next((row for row, text in enumerate(array.to_pylist()) if text is not None and _json(text) is None), -1)
    return None if row < 0 else row


def no_form(how: As) -> str:
    """What a value is that has no form like that, in words."""
    return "neither 0 nor 1" if how is As.BOOLEAN else "not JSON that every warehouse holds"


def canonical_json(array: pa.Array) -> pa.Array:
    """JSON texts that are equal exactly when their values are; others as they are."""
    return pa.array([text and (_json(text) or text) for text in array.to_pylist()], pa.string())


def _json(text: str) -> str | None:
    """A JSON text in one form, None for one that is none or has characters that a warehouse refuses."""
    try:
        canonical = _canonical(json.loads(text, parse_float=Decimal, parse_constant=_refused))
        canonical.encode()
    except (ValueError, ArithmeticError, RecursionError):
        return None
    return None if "\0" in canonical else canonical


def _refused(constant: str) -> Any:
    raise ValueError(constant)


def _canonical(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{_quoted(key)}:{_canonical(value[key])}" for key in sorted(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if isinstance(value, str):
        return _quoted(value)
    if value is None or isinstance(value, bool):
        return json.dumps(value)
    number = Decimal(value).normalize(_EXACT)
    return str(number if number else Decimal(0))


def _quoted(text: str) -> str:
    """As json.dumps writes it, but with every character but quote and backslash as itself."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _texts(array: pa.Array) -> pa.Array:
    kind = array.type
    if pa.types.is_boolean(kind):
        return pc.if_else(array, "1", "0")
    if pa.types.is_decimal(kind):  # Arrow writes small ones with an exponent.
        return pa.array([None if value is None else f"{value:f}" for value in array.to_pylist()], pa.string())
    return array.cast(pa.string())


def _text_length(kind: pa.DataType) -> int | None:
    """Bytes of the texts of a type's values at most; None for a type whose values have more than one text."""
    if pa.types.is_boolean(kind):
        return 1
    if pa.types.is_integer(kind):
        return _INTEGER_DIGITS[kind.bit_width] + 1
    if pa.types.is_decimal(kind):
        return int(kind.precision) + len("-0.")
    if pa.types.is_date32(kind):
        return _DATE_LENGTH
    if kind == TIMESTAMP:
        return _TIMESTAMP_LENGTH
    return _TIMESTAMP_LENGTH + len("Z") if kind == INSTANT else None


def _shortened(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
