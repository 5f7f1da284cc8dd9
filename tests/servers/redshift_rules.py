"""What Redshift refuses, and what it understands otherwise than PostgreSQL: one statement at a time, no connection.

By its developer guide: "Names and identifiers", CREATE TABLE, ALTER TABLE, FETCH, LOCK, SUPER, VARBYTE and
extra_float_digits.
"""

import hashlib
import math
import re
import string
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

SCHEMA = "stand_in"
"""Where the stand-in keeps functions and types of its own in PostgreSQL."""

FLOAT_DIGITS = 2
"""extra_float_digits at most."""
FETCHED = 1_000
"""Rows of one FETCH at most, on a cluster of a single node."""
_NAME_BYTES = 127
_POSTGRES_NAME_BYTES = 63
_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_SYSTEM_COLUMNS = ("oid", "xmin", "xmax", "cmin", "cmax", "ctid", "tableoid")
_FIXED_ENCODINGS = ("bytedict", "runlength", "text255", "text32k")
"""Text in one of these cannot be lengthened."""
_BINARY = r"(?:varbyte|varbinary|binary\s+varying)\b(?:\s*\(\s*(\d+)\s*\))?"
_BINARY_BYTES = 64_000
"""The length of a VARBYTE that names none."""
_NAME = r'"(?:[^"]|"")+"|[A-Za-z_][\w$]*'
_PATH = rf"(?:(?:{_NAME})\s*\.\s*)*(?:{_NAME})"
_LITERAL = r"'(?:[^']|'')*'"
_QUOTED = rf"{_LITERAL}|\"(?:[^\"]|\"\")*\""

_REFUSED = (
    (r"\bON\s+CONFLICT\b", "ON CONFLICT"),
    (r"\bRETURNING\b", "RETURNING"),
    (r"^\s*(RELEASE\s+)?SAVEPOINT\b|\bROLLBACK\s+TO\b", "SAVEPOINT"),
    (r"^\s*CREATE\s+(UNIQUE\s+)?INDEX\b", "CREATE INDEX"),
    (r"\bFROM\s+STDIN\b|\bTO\s+STDOUT\b", "COPY FROM STDIN or TO STDOUT"),
    (r"^\s*(DEALLOCATE|DISCARD)\s+ALL\b", "DEALLOCATE ALL"),
    (r"\bDISTINCT\s+ON\b", "DISTINCT ON"),
    (r"\b(CURRENT_TIMESTAMP|NOW\s*\()", "deprecated functions"),
    (r"\bADD\s+COLUMN\b.*\bADD\s+COLUMN\b", "more than one new column in a statement"),
    (r"^\s*LOCK\b.*\bMODE\b", "a lock mode"),
    (r"\bset_config\s*\(\s*'(lock_timeout|jit|bytea_output)", "that setting"),
    (r"^\s*SET\s+(SESSION\s+|LOCAL\s+)?(lock_timeout|idle_in_transaction|jit|bytea_output)", "that setting"),
    (r"::\s*jsonb?\b|\bjsonb\b|\bbytea\b|\bserial\b|\buuid\b|\btext\[\]", "that type"),
    (r"\bWITH\s+RECURSIVE\b.*\bCYCLE\b|\bLATERAL\b|\bFILTER\s*\(", "that syntax"),
    (r"\bgenerate_subscripts\b|\bstring_agg\b|\barray_agg\b", "that function"),
)
_CREATE = re.compile(
    rf"\s*CREATE\s+(?P<temporary>(?:LOCAL\s+)?TEMP(?:ORARY)?\s+)?TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<table>{_PATH})\s*\(",
    re.IGNORECASE,
)
_CONSTRAINT = re.compile(r"\s*(PRIMARY\s+KEY|UNIQUE|FOREIGN\s+KEY|CONSTRAINT|CHECK|LIKE)\b", re.IGNORECASE)
_KEY_CONSTRAINT = re.compile(r"\s*(?:PRIMARY\s+KEY|UNIQUE)\s*\((?P<columns>.*)\)\s*", re.IGNORECASE | re.DOTALL)
_STORAGE = re.compile(
    r"\s+(?:DISTSTYLE\s+(?:AUTO|EVEN|ALL|KEY)|DISTKEY\s*\((?P<dist>[^)]*)\)"
    r"|(?:COMPOUND\s+|INTERLEAVED\s+)?SORTKEY\s*(?:AUTO|\((?P<sort>[^)]*)\))|ENCODE\s+AUTO|BACKUP\s+(?:YES|NO))",
    re.IGNORECASE,
)
_COLUMN_STORAGE = re.compile(r"\s+(?:ENCODE\s+(?P<encoding>\w+)|(?P<key>DISTKEY|SORTKEY))\b", re.IGNORECASE)
_IN_COLUMN_KEY = re.compile(r"\s+(?:PRIMARY\s+KEY|UNIQUE)\b", re.IGNORECASE)
_ALTER_TYPE = re.compile(
    rf"\s*ALTER\s+TABLE\s+(?P<table>{_PATH})\s+ALTER\s+(?:COLUMN\s+)?(?P<column>{_NAME})\s+TYPE\s+(?P<type>.+?)\s*$",
    re.IGNORECASE,
)
_ADD_COLUMN = re.compile(
    rf"(?P<head>\s*ALTER\s+TABLE\s+(?:{_PATH})\s+ADD\s+(?:COLUMN\s+)?)(?P<column>{_NAME})\s+(?P<type>.+?)\s*$",
    re.IGNORECASE,
)
_OWNED = re.compile(rf"\s*(?:ALTER|DROP)\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?P<table>{_PATH})", re.IGNORECASE)
_WRITE = re.compile(
    rf"\s*(?P<verb>INSERT\s+INTO|UPDATE|DELETE\s+FROM|COPY)\s+(?P<table>{_PATH})", re.IGNORECASE | re.DOTALL
)
_LOCK = re.compile(rf"\s*LOCK\s+(?:TABLE\s+)?(?P<tables>{_PATH}(?:\s*,\s*{_PATH})*)\s*$", re.IGNORECASE)
_FETCH = re.compile(r"\s*FETCH\s+(?:FORWARD\s+)?(?P<count>\d+|ALL)\b", re.IGNORECASE)
_DIGITS = re.compile(
    r"(?:.*;)?\s*SET\s+(?:SESSION\s+|LOCAL\s+)?extra_float_digits\s*(?:=|\bTO\b)\s*'?(?P<set>-?\d+)'?\s*$"
    r"|.*\bset_config\s*\(\s*'extra_float_digits'\s*,\s*'(?P<config>-?\d+)'",
    re.IGNORECASE | re.DOTALL,
)


class Refusal(Exception):
    """What the client is told. file, column, value: what a failed COPY leaves in the table of load errors."""

    def __init__(
        self, message: str, *, code: str = "XX000", detail: str = "", file: str = "", column: str = "", value: str = ""
    ) -> None:
        super().__init__(message)
        self.code, self.detail = code, detail
        self.note = (file, column, message, value)

    def statement(self) -> str:
        """What fails so in PostgreSQL."""
        told = f", DETAIL = {literal(self.detail)}" if self.detail else ""
        text = literal(str(self).replace("%", "%%"))
        return f"DO $refusal$ BEGIN RAISE EXCEPTION {text} USING ERRCODE = '{self.code}'{told}; END $refusal$"


@dataclass
class Created:
    """A table that a statement creates. columns: declared types; encodings: of columns that name one."""

    table: tuple[str, ...]
    temporary: bool
    columns: dict[str, str] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)
    distkey: str | None = None
    encodings: dict[str, str] = field(default_factory=dict)
    statement: str = ""


def literal(text: str) -> str:
    """Text as a literal."""
    doubled = text.replace("'", "''")
    return f"'{doubled}'"


def quoted(name: str) -> str:
    """A name as an identifier."""
    doubled = name.replace('"', '""')
    return f'"{doubled}"'


def bare(name: str) -> str:
    """An identifier as the name it stands for."""
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def path(text: str) -> tuple[str, ...]:
    """A path of identifiers as names."""
    return tuple(bare(name) for name in re.findall(_NAME, text))


def with_schema(place: tuple[str, ...]) -> tuple[str, ...]:
    """The path of a permanent table, in the schema that it is in."""
    return place if len(place) > 1 else ("public", *place)


# Names


def with_stored_names(statement: str, aliases: dict[str, str]) -> str:
    """Quoted names as PostgreSQL keeps them: in lower case as Redshift's are, only ASCII letters, and cut at 127 bytes.

    PostgreSQL keeps 63 bytes, so that longer ones get an alias, which is added to aliases.
    """

    def stored(found: "re.Match[str]") -> str:
        return found[0] if found[0].startswith("'") else quoted(_stored(bare(found[0]), aliases))

    return re.sub(_QUOTED, stored, statement)


def _stored(name: str, aliases: dict[str, str]) -> str:
    kept = name.translate(_LOWER).encode()[:_NAME_BYTES].decode(errors="ignore")
    if len(kept.encode()) <= _POSTGRES_NAME_BYTES:
        return kept
    alias = f"{kept.encode()[:40].decode(errors='ignore')}~{hashlib.sha256(kept.encode()).hexdigest()[:16]}"
    aliases[alias] = kept
    return alias


def with_told_names(statement: str) -> str:
    """A question to the catalog, answered with the names and types that Redshift would tell."""

    def told(text: str) -> str:
        text = re.sub(r"(?<![\w.])((?:\w+\.)?(?:attname|relname|nspname))\b", rf"{SCHEMA}.told_name(\1)", text)
        return re.sub(r"(?<![\w.])(format_type|db_collation)\s*\(", rf"{SCHEMA}.\1(", text)

    return _outside_quotes(statement, told)


# What is refused


def check(statement: str, *, single_node: bool) -> None:
    """Raises Refusal."""
    unquoted = re.sub(_QUOTED, "''", statement)
    for pattern, what in _REFUSED:
        text = statement if "set_config" in pattern else unquoted
        if re.search(pattern, text, re.IGNORECASE | re.DOTALL):
            raise Refusal(f"Redshift does not support {what}")
    if (digits := float_digits(statement)) is not None and not -15 <= digits <= FLOAT_DIGITS:
        raise Refusal(
            f'{digits} is outside the valid range for parameter "extra_float_digits" (-15 .. {FLOAT_DIGITS})',
            code="22023",
        )
    if single_node and (found := _FETCH.match(statement)) and _exceeds(found["count"]):
        raise Refusal(
            f"Fetch size {found['count']} exceeds the limit of {FETCHED} for a single node configuration. Reduce the"
            " client fetch/cache size or upgrade to a multi node installation."
        )


def _exceeds(count: str) -> bool:
    return not count.isdigit() or int(count) > FETCHED


def float_digits(statement: str) -> int | None:
    """What a statement sets extra_float_digits to."""
    found = _DIGITS.match(statement)
    return int(found["set"] or found["config"]) if found else None


def _check_column(name: str) -> None:
    if name in _SYSTEM_COLUMNS:
        raise Refusal(f'column name "{name}" conflicts with a system column name', code="42701")


# Tables


def created(statement: str) -> Created | None:
    """The table that a CREATE TABLE with columns makes, and the statement that makes it in PostgreSQL: keys are told
    and not enforced, storage is left out. Raises Refusal.
    """
    found = _CREATE.match(statement)
    if not found:
        return None
    end = _closing(statement, found.end())
    table = Created(path(found["table"]), bool(found["temporary"]))
    lines = [line for item in _items(statement[found.end() : end]) if (line := _line(item, table)) is not None]
    storage = statement[end + 1 :]
    for match in _STORAGE.finditer(storage):
        for kind in ("dist", "sort"):
            for name in path(match[kind] or ""):
                _check_storage_key(table, name, kind)
                table.distkey = name if kind == "dist" else table.distkey
    lines = [_required(line, table.keys) for line in lines]
    table.statement = f"{statement[: found.end()]}{', '.join(lines)}){_STORAGE.sub('', storage)}"
    return table


def _line(item: str, table: Created) -> str | None:
    """A column or a constraint for PostgreSQL; None for one that Redshift does not enforce."""
    if key := _KEY_CONSTRAINT.fullmatch(item):
        table.keys |= set(path(key["columns"]))
        return None
    if _CONSTRAINT.match(item):
        return item
    found = re.match(rf"\s*(?P<name>{_NAME})\s+(?P<rest>.+)", item, re.DOTALL)
    if not found:
        return item
    name = bare(found["name"])
    _check_column(name)
    rest = found["rest"]
    for storage in _COLUMN_STORAGE.finditer(rest):
        if storage["encoding"]:
            table.encodings[name] = storage["encoding"].lower()
    keys = [match["key"].lower()[:4] for match in _COLUMN_STORAGE.finditer(rest) if match["key"]]
    rest = _COLUMN_STORAGE.sub("", rest)
    if _IN_COLUMN_KEY.search(rest):
        table.keys.add(name)
        rest = _IN_COLUMN_KEY.sub("", rest)
    table.columns[name] = re.sub(r"\s+(NOT\s+NULL|NULL|DEFAULT\b.*)", "", rest, flags=re.IGNORECASE | re.DOTALL).strip()
    for kind in keys:
        _check_storage_key(table, name, kind)
    return f"{found['name']} {with_types(rest)}"


def _required(line: str, keys: set[str]) -> str:
    """Columns of a primary key hold no NULL, that is enforced."""
    name = re.match(_NAME, line)
    lacks = name and bare(name[0]) in keys and not re.search(r"\bNOT\s+NULL\b", line, re.IGNORECASE)
    return f"{line} NOT NULL" if lacks else line


def _check_storage_key(table: Created, name: str, kind: str) -> None:
    declared = table.columns.get(name)
    if declared is None:
        raise Refusal(f'column "{name}" named in {kind}key does not exist', code="42703")
    if re.fullmatch(rf"{_BINARY}|super", declared, re.IGNORECASE):
        raise Refusal(f'column "{name}" of type {declared} cannot be a {kind}key', code="0A000")


def with_types(text: str) -> str:
    """Types of Redshift as those that the stand-in has for them."""
    text = re.sub(_BINARY, lambda found: f"{SCHEMA}.{quoted(binary_type(found[1]))}", text, flags=re.IGNORECASE)
    return re.sub(r"(?<![\w\".])super(?![\w\".])", "jsonb", text, flags=re.IGNORECASE)


def binary_type(length: str | None) -> str:
    """What Redshift's catalog calls a VARBYTE of this length."""
    return f"binary varying({length or _BINARY_BYTES})"


def binary_lengths(statement: str) -> set[str]:
    """Those that a translated statement names."""
    return set(re.findall(rf'{SCHEMA}\."binary varying\((\d+)\)"', statement))


def with_casts(statement: str) -> str:
    """Casts to Redshift's own types, and its JSON_PARSE and JSON_SERIALIZE."""

    def cast(text: str) -> str:
        kinds = rf"(\bAS\s+|::\s*)({_BINARY}|super\b)"
        text = re.sub(kinds, lambda found: found[1] + with_types(found[2]), text, flags=re.IGNORECASE)
        return re.sub(r"\bJSON_(PARSE|SERIALIZE)\s*\(", rf"{SCHEMA}.json_\1(", text, flags=re.IGNORECASE)

    return _outside_quotes(statement, cast)


def added(statement: str) -> str | None:
    """ADD COLUMN for PostgreSQL. Raises Refusal."""
    found = _ADD_COLUMN.match(statement)
    if not found:
        return None
    _check_column(bare(found["column"]))
    return f"{found['head']}{found['column']} {with_types(_COLUMN_STORAGE.sub('', found['type']))}"


@dataclass(frozen=True)
class Column:
    """What the catalog says of one. key: a primary, unique or foreign one."""

    type: str
    encoding: str = ""
    key: bool = False
    default: bool = False


def altered(statement: str) -> tuple[str, str, str] | None:
    """Table, column and new type of an ALTER COLUMN TYPE."""
    found = _ALTER_TYPE.match(statement)
    return (found["table"], bare(found["column"]), found["type"]) if found else None


def check_lengthening(column: Column, kind: str, *, in_transaction: bool) -> None:
    """Redshift changes nothing but the length of VARCHAR, to no less, of a plain column, and that in no transaction."""
    length = re.fullmatch(r"(?:varchar|character\s+varying)\s*\((\d+)\)", kind, re.IGNORECASE)
    present = re.fullmatch(r"character varying\((\d+)\)", column.type)
    if not length or not present:
        raise Refusal(f"ALTER COLUMN TYPE from {column.type} to {kind} is not supported", code="0A000")
    if in_transaction:
        raise Refusal("ALTER TABLE ALTER COLUMN cannot run inside a transaction block", code="25001")
    for applies, what in (
        (column.encoding in _FIXED_ENCODINGS, f"of the encoding {column.encoding}"),
        (column.key, "of a key"),
        (column.default, "with a default value"),
    ):
        if applies:
            raise Refusal(f"cannot alter the type of a column {what}", code="0A000")
    if int(length[1]) < int(present[1]):
        raise Refusal("target column size should be greater or equal to current maximum column size", code="0A000")


def needs_owner(statement: str) -> str | None:
    """The table that only its owner may change so."""
    found = _OWNED.match(statement)
    return found["table"] if found else None


def written(statement: str) -> tuple[str, bool] | None:
    """The table that a statement writes, and whether it has to read its rows for that: UPDATE and DELETE do."""
    found = _WRITE.match(statement)
    return (found["table"], found["verb"][0] in "UuDd") if found else None


def locked(statement: str) -> list[str]:
    """The tables that a LOCK names."""
    found = _LOCK.match(statement)
    return re.findall(_PATH, found["tables"]) if found else []


# Text


def _outside_quotes(statement: str, change: Callable[[str], str]) -> str:
    parts = re.split(f"({_QUOTED})", statement)
    parts[::2] = map(change, parts[::2])
    return "".join(parts)


def _closing(text: str, begin: int) -> int:
    """Where the parenthesis ends that was opened before `begin`."""
    depth = 1
    for place, sign in _signs(text, begin):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if not depth:
            return place
    raise Refusal("syntax error at end of input", code="42601")


def _items(text: str) -> Iterator[str]:
    """What commas part, outside of parentheses and quotes."""
    depth, begin = 0, 0
    for place, sign in _signs(text, 0):
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if sign == "," and not depth:
            yield text[begin:place].strip()
            begin = place + 1
    yield text[begin:].strip()


def _signs(text: str, begin: int) -> Iterator[tuple[int, str]]:
    for found in re.finditer(rf"{_QUOTED}|[(),]", text[begin:]):
        if found[0] in "(),":
            yield begin + found.start(), found[0]


def rounded(value: bytes, digits: int, *, single: bool) -> bytes:
    """A floating-point number as a server prints it with so many digits. single: it has four bytes."""
    number = float(value)
    if single and math.isfinite(number):
        (number,) = struct.unpack("f", struct.pack("f", number))
    return f"{number:.{digits}g}".encode() if math.isfinite(number) else value
