"""A copy of the repository as mutmut reads it: rules that it would pass over are written so that it sees them.

mutmut mutates no decorated function: a property becomes a plain method and a call of `property`. The words of an error
or of a message are no rule: their lines are marked, and mutmut leaves them alone.
"""

import ast
import json
from collections.abc import Mapping
from pathlib import Path

from wmtui import errors

_WORDS = {name for name, found in vars(errors).items() if isinstance(found, type) and issubclass(found, Exception)}
_WORDS |= {"ValueError", "tell"}
_MARK = "  # pragma: no mutate"


def copy_repository(to: Path, module: str, settings: Mapping[str, list[str]]) -> None:
    """Product and tests as they are, the module as mutmut is to read it, and the settings of this run for mutmut.

    A file that is the same as in an earlier copy stays untouched: mutmut goes by its time.
    """
    here = [path for folder in ("wmtui", "tests") for path in Path(folder).rglob("*") if path.is_file()]
    for path in here:
        if path.suffix != ".pyc" and "__snapshots__" not in path.parts:
            data = path.read_bytes()
            _write(to / path, as_read(data.decode()).encode() if str(path) == module else data)
    for copied in (*to.glob("wmtui/**/*.py"), *to.glob("tests/**/*.py")):
        if not copied.relative_to(to).exists():
            copied.unlink()
    table = "[tool.mutmut]\n"
    lines = "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    _write(to / "pyproject.toml", Path("pyproject.toml").read_text().replace(table, table + lines).encode())


def _write(file: Path, data: bytes) -> None:
    if not file.exists() or file.read_bytes() != data:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)


def as_read(source: str) -> str:
    """A module with the same behaviour: properties by call, lines of words marked."""
    lines = source.splitlines()
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and _is_of_words(node):
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                if not lines[number].endswith(_MARK):
                    lines[number] += _MARK
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and [ast.unparse(d) for d in node.decorator_list] == ["property"]:
            lines[node.decorator_list[0].lineno - 1] = ""
            lines[(node.end_lineno or 0) - 1] += f"\n\n{' ' * node.col_offset}{node.name} = property({node.name})"
    return "\n".join(lines) + "\n"


def _is_of_words(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in _WORDS
