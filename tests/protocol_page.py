"""docs/protocol.md, taken apart: examples, fields, versions, orders of writes and statements."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

PAGE = (Path(__file__).parent.parent / "docs" / "protocol.md").read_text(encoding="utf-8")

_ID, _RUN = "[0-9a-f]{32}", "[0-9a-f]{18}"
_PLACEHOLDERS = {
    "<table>": r"[A-Za-z0-9_%-]+\.[A-Za-z0-9_%-]+",
    "<serial>": r"\d{12}",
    "<run>": _RUN,
    "<day>": r"\d{4}-\d\d-\d\d",
    "<id>": _ID,
    "<number>": r"\d+",
    "<prefix>": r"(?:[a-z]+/)*(?:[A-Za-z0-9_%-]+\.[A-Za-z0-9_%-]+/)?",
    "<time>": r"\d{8}T\d{6}Z",
    "<token>": r"\d+",
    "<part>": r"\d{5,}",
    "<schema_table>": r"[^/]+",
    "<YYYYMMDD_HHMMSS>": r"\d{8}_\d{6}",
    "YYYY": r"\d{4}",
    "MM": r"\d\d",
    "DD": r"\d\d",
    "year=…": r"year=\d+(?:/[a-z]+=[^/]*)*",
    "…": ".+",
}


def section(title: str, level: int = 3) -> str:
    """What is below a heading, to the next one of its level or above."""
    _, found, rest = PAGE.partition(f"\n{'#' * level} {title}\n")
    assert found, f"no heading {title}"
    return re.split(rf"(?m)^#{{1,{level}}} ", rest)[0]


def table(text: str) -> list[list[str]]:
    """The cells of the first table of a text, without its head."""
    lines = re.search(r"(?m)(?:^\|.*\n)+", text)
    assert lines
    rows = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in lines[0].splitlines()]
    return [[cell.strip().replace("\\|", "|") for cell in row] for row in rows[2:]]


def quoted(text: str) -> list[str]:
    """What a text has in backticks."""
    return re.findall(r"`([^`]+)`", text)


def examples() -> dict[str, str]:
    """By key, the text of every document that is shown whole."""
    found = re.findall(r"(?m)^`([^`\n]+)`\n\n```(?:json|text)\n(.*?)^```", PAGE, re.DOTALL)
    assert len(found) == len(dict(found))
    return dict(found)


def key_patterns() -> dict[str, re.Pattern[str]]:
    """By the pattern as the page writes it, one that matches whole keys."""
    return {cell: _pattern(cell) for row in table(section("What is in a store", 2)) for cell in quoted(row[0])}


def _pattern(key: str) -> re.Pattern[str]:
    words = sorted(_PLACEHOLDERS, key=len, reverse=True)
    # A longer placeholder first: `<schema_table>` before `<table>`.
    pieces = re.split(f"({'|'.join(map(re.escape, words))})", key)
    return re.compile("".join(_PLACEHOLDERS.get(piece) or re.escape(piece) for piece in pieces))


class Field(Struct, frozen=True):
    """One line of a table of fields. path: with `[]` for items of lists and `<…>` for names that data give."""

    path: str
    type: str

    def matches(self, path: Sequence[str]) -> bool:
        """Whether a path into a document leads to this field."""
        own = _steps(self.path)
        return len(own) == len(path) and all(
            mine == step or (mine.startswith("<") and step != "[]") for mine, step in zip(own, path, strict=True)
        )


def _steps(path: str) -> list[str]:
    return path.replace("[]", ".[]").split(".")


def fields(title: str) -> list[Field]:
    """The fields of a document."""
    rows = table(section(title))
    return [Field(path, kind) for names, kind, *_ in rows for path in quoted(names)]


def paths(value: Any, of: Sequence[Field], at: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every path into a document with its value, as deep as the page describes it, and one step deeper where it does
    not describe the inside of a list or object.
    """
    if at:
        yield at, value
    if at and not any(_steps(each.path)[: len(at)] != _steps(each.path) and _begins(each, at) for each in of):
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from paths(inner, of, (*at, name))
    elif isinstance(value, list):
        for inner in value:
            if isinstance(inner, Mapping):
                for name, deeper in inner.items():
                    yield from paths(deeper, of, (*at, "[]", name))


def _begins(field: Field, at: Sequence[str]) -> bool:
    """A field that lies inside the one at this path."""
    own = _steps(field.path)[: len(at)]
    return len(_steps(field.path)) > len(at) and Field(".".join(own).replace(".[]", "[]"), "").matches(at)


def orders() -> dict[str, str]:
    """By operation, a pattern of the steps that it writes, each followed by a blank.

    `*` repeats the steps before it in its clause at least once; `where` and `once` make a clause optional.
    """
    found = {}
    text = section("Orders of writes", 2)
    for title in re.findall(r"(?m)^### (.*)$", text):
        items = re.split(r"(?m)^\d+\. ", section(title).strip().split("\n\n")[0])[1:]
        found[title] = "".join(_item(item) for item in items)
    return found


def _item(item: str) -> str:
    """Its clauses end with a semicolon outside of backticks."""
    clauses: list[str] = [""]
    for piece in re.split(r"(`[^`]+`)", item.replace("\n", " ")):
        first, *others = [piece] if piece.startswith("`") else piece.split(";")
        clauses[-1] += first
        clauses += others
    return "".join(map(_clause, clauses))


def _clause(clause: str) -> str:
    group = "".join(f"{re.escape(step)} " for step in quoted(clause) if is_step(step))
    if not group:
        return ""
    if re.search(r"`\*", clause):
        return f"(?:{group}){'*' if 'every' in clause else '+'}"
    optional = re.search(r"\bwhere\b|\bonce\b|\bpending\b|\bone that\b|\bfor loads\b|\bon Redshift\b", clause)
    return f"(?:{group})?" if optional else group


def is_step(text: str) -> bool:
    """Whether words in backticks name a step."""
    return text.startswith(("put:", "delete:", "read:")) or text in LOADING


LOADING = ("stage", "lock ledger", "stage ahead", "merge", "merge commit")


def steps() -> set[str]:
    """Every step that is named in an order of writes."""
    return set(filter(is_step, quoted(section("Orders of writes", 2))))


def statements(title: str) -> list[str]:
    """The lines of the block of SQL whose first line is this comment."""
    found = re.search(rf"(?ms)^```sql\n-- {title}\n(.*?)^```", PAGE)
    assert found
    return found[1].strip().splitlines()
