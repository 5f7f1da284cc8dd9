"""A YAML file whose errors name their line and never echo an expanded value."""

import re
import unicodedata
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, get_args

import msgspec
import yaml

from wmtui.config.schema import Duration, Secret
from wmtui.errors import ConfigError
from wmtui.texts import did_you_mean

At = tuple[object, ...]
"""The keys that lead to a value, from the top of the file."""

VARIABLE = re.compile(r"\$\{([^}]*)\}")

_TEXT = "tag:yaml.org,2002:str"
_MAPPING = "tag:yaml.org,2002:map"

_T = TypeVar("_T")

_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "null": "nothing",
}

# A timestamp stays the text it was written as.
_RESOLVERS = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


_MOST_VALUES = 1_000_000
_DEEPEST = 100
_BRACKETS = re.compile(r"[\[\]{}]")
_NESTED_LINE = re.compile(rf"^(?: {{{_DEEPEST},}}\S|(?:[ ]*[-?][ ]+){{{_DEEPEST // 4},}})", re.MULTILINE)
_MISREAD = re.compile(r"[-+]?0[0-9_]+|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+")


class Document:
    """One file as plain values (`raw`) and as YAML nodes, which know their lines.

    Raises ConfigError when the file is missing, unreadable, not YAML, empty, or has a key twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._plain: dict[yaml.Node, Any] = {}
        """Texts and empty mappings, which PyYAML need not make: of ten thousand tables they are nearly all nodes."""
        text = _read(path)
        try:
            _refuse_deep(path, text)
            loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
            loader.yaml_implicit_resolvers = _RESOLVERS
            self._root = loader.get_single_node()
            self._look_through(self._root, {})
            loader.constructed_objects.update(self._plain)
            self.raw = loader.construct_document(self._root) if self._root else None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            # PyYAML quotes from the file, which may be part of a password.
            why = re.sub(r"\s*(['\"]).*\1", "", error.problem or "not well-formed")
            raise ConfigError(f"{path}, line {line}: not valid YAML", why, "mend the line") from None
        except yaml.reader.ReaderError as error:
            raise ConfigError(f"{path} is not text", error.reason, "remove what is no text") from None
        except (ValueError, LookupError, AttributeError, RecursionError):
            # What PyYAML raises for a value that does not suit its tag, such as `!!int x`.
            raise ConfigError(f"{path}: not valid YAML", "a value does not suit its !!tag", "remove the tag") from None
        if self.raw is None:
            raise ConfigError(f"{path} is empty", "", "start from the example in docs/tables-yaml.md")

    def value(self, at: At) -> Any:
        """The value below these keys as the file has it, `${ENV}` unexpanded; None if there is none."""
        value = self.raw
        for key in at:
            value = value.get(key) if isinstance(value, dict) else None
        return value

    def error(self, what: str, why: str, at: At, next_step: str) -> ConfigError:
        """An error with file and line of the last of these keys that the file has."""
        return ConfigError(f"{self.path}, line {self.line(at)}: {what}", why, next_step)

    def line(self, at: At) -> int:
        """The line of the last of these keys that the file has, from 1."""
        node, line = self._root, 1
        for key in at:
            pairs = node.value if isinstance(node, yaml.MappingNode) else []
            pair = next(((k, v) for k, v in pairs if k.value == str(key)), None)
            if pair is None:
                break
            line, node = pair[0].start_mark.line + 1, pair[1]
        return line

    def check_keys(self, kind: Any, at: At) -> None:
        """Refuse keys that `kind`, a msgspec type, and the types of its fields do not have. Values are not judged."""
        value = self.value(at)
        if not isinstance(value, dict) or (struct := self._struct_for(kind, value, at)) is None:
            return
        fields = _fields(struct)
        for key in value:
            if key not in fields:
                raise self.error(
                    f"unknown key {key!r}", f"valid here: {', '.join(fields)}", (*at, key), suggestion(str(key), fields)
                )
            self.check_keys(fields[key], (*at, key))

    def convert(self, value: Any, kind: type[_T], at: At) -> _T:
        """A value found at `at`, perhaps expanded or completed since, as the msgspec type it should be."""
        try:
            return msgspec.convert(value, kind, strict=False, dec_hook=_decode)
        except msgspec.ValidationError as error:
            message = str(error)
        problem, _, path = message.partition(" - at `")
        where = (*at, *re.findall(r"[^.\[\]$`]+", path.removeprefix("key` in ")))
        written = self.value(where)
        # msgspec quotes the value it refuses, which may be a secret once it is expanded.
        expanded = isinstance(written, str) and VARIABLE.search(written)
        why = f"the value of {written} does not fit" if expanded else _plain(problem)
        quote = "bool" in problem and "str" in problem
        next_step = (
            "put the word in quotes: yes, no, on and off mean true and false in YAML" if quote else "mend the value"
        )
        raise self.error(f"{'.'.join(map(str, where)) or 'the file'} is wrong", why, where, next_step)

    def _struct_for(self, kind: Any, value: dict[Any, Any], at: At) -> type[msgspec.Struct] | None:
        """The struct that describes a mapping; of several the one that its `type` names."""
        structs = _structs(kind)
        if len(structs) < 2:
            return structs[0] if structs else None
        tags = {str(struct.__struct_config__.tag): struct for struct in structs}
        tag = str(value.get("type"))
        if tag not in tags and not VARIABLE.search(tag):
            what = f"unknown type {tag!r}" if "type" in value else f"{'.'.join(map(str, at))} has no type"
            raise self.error(what, f"types are {', '.join(tags)}", (*at, "type"), suggestion(tag, tags))
        return tags.get(tag)

    def _look_through(self, node: yaml.Node | None, sizes: dict[int, int | None]) -> int:
        """Refuse a key that stands twice, a number that YAML reads as another, an alias to the node it is in, and
        aliases that stand for more values than any configuration has. sizes: values below the nodes seen so far, None
        of those that are being looked through; returns this one's.
        """
        if node is None:
            return 0
        if isinstance(node, yaml.ScalarNode):
            if node.tag == _TEXT:
                self._plain[node] = node.value
            else:
                self._refuse_misread(node)
            return 1
        if not node.value and node.tag == _MAPPING:
            self._plain[node] = {}
            return 1
        known = sizes.get(id(node), 0)
        if known is None:
            raise yaml.MarkedYAMLError(problem="an alias refers to itself", problem_mark=node.start_mark)
        if known:
            return known
        sizes[id(node)] = None
        children = node.value if isinstance(node, yaml.SequenceNode) else []
        if isinstance(node, yaml.MappingNode):
            self._refuse_twice(node)
            children = [each for pair in node.value for each in pair]
        size = 1 + sum(self._look_through(child, sizes) for child in children)
        if size > _MOST_VALUES:
            raise yaml.MarkedYAMLError(problem="its aliases stand for too many values", problem_mark=node.start_mark)
        sizes[id(node)] = size
        return size

    def _refuse_twice(self, node: yaml.MappingNode) -> None:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value in seen:
                what = f"{self.path}, line {key.start_mark.line + 1}: {key.value!r} stands twice"
                raise ConfigError(what, "only one of them could count", "remove one")
            seen.add(str(key.value))

    def _refuse_misread(self, node: yaml.ScalarNode) -> None:
        """03306 is 1734 in YAML, and 1:30 is 90."""
        if node.tag == "tag:yaml.org,2002:int" and _MISREAD.fullmatch(node.value):
            raise ConfigError(
                f"{self.path}, line {node.start_mark.line + 1}: {node.value} is not read as it is written",
                "YAML takes digits after a 0 for octal ones, and digits with colons for sixtieths",
                "write a number without the 0 in front, or put it in quotes",
            )


def _refuse_deep(path: Path, text: str) -> None:
    """Nesting that no configuration has would end the process inside the YAML library."""
    depth = deepest = 0
    for bracket in _BRACKETS.findall(text):
        depth += 1 if bracket in "[{" else -1
        deepest = max(deepest, depth)
    if deepest <= _DEEPEST and not _NESTED_LINE.search(text):
        return
    depth = 0
    for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise ConfigError(
                f"{path}, line {line}: nested too deeply", f"more than {_DEEPEST} levels", "mend the line"
            )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(
            f"no configuration at {path}",
            "the file does not exist",
            "give its path with --config, or start from the example in docs/tables-yaml.md; `wmtui --demo` needs none",
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot read {path}", error.strerror or "", "check the path and its permissions") from error
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text", "it is not in UTF-8", "save it as UTF-8") from None


def unwanted_character(value: str) -> str | None:
    """What a copied value has too much: a line end, another control character, or blanks around it; None: nothing."""
    if "\n" in value or "\r" in value:
        return "a line end"
    if any(unicodedata.category(character) == "Cc" for character in value):
        return "a control character"
    return None if value == value.strip() else "a blank at an end"


def suggestion(word: str, valid: Iterable[str]) -> str:
    """What to write instead of a word that is not among the valid ones."""
    return did_you_mean(word, valid, "use one of them", cutoff=0.5, quoted="{!r}")


def _plain(problem: str) -> str:
    """msgspec's words in the reader's."""
    problem = re.sub(r"Object missing required field (`\w+`)", r"\1 is missing", problem)
    problem = re.sub(
        r"`([a-z |]+)`(?! is)", lambda m: " or ".join(_WORDS.get(w, w) for w in m[1].split(" | ")), problem
    )
    return problem[:1].lower() + problem[1:]


@cache
def _structs(kind: Any) -> list[type[msgspec.Struct]]:
    """The structs among the alternatives of a type."""
    return [k for k in get_args(kind) or (kind,) if isinstance(k, type) and issubclass(k, msgspec.Struct)]


@cache
def _fields(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """A struct's keys in the file and their types; `type` chooses among tagged structs."""
    fields = {field.encode_name: field.type for field in msgspec.structs.fields(struct)}
    return {"type": str, **fields} if struct.__struct_config__.tag else fields


def _decode(kind: type[Any], value: Any) -> Any:
    if kind is Duration:
        return Duration.parse(str(value))
    if not isinstance(value, str):
        raise ValueError("expected text: put it in quotes")
    secret = Secret(value)
    if blemish := unwanted_character(value):
        raise ValueError(f"it has {blemish}")
    return secret
