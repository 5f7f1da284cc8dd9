"""Errors: one list, which the documentation is written from and every raise belongs to."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import wmtui
from tests import error_page, json_page, schemas
from wmtui import errors
from wmtui.errors import Bug, ExitCode, Kind, WmtuiError, as_wmtui_error, combine, every_error

_NOT_FOR_USERS = ("FilesLoaded", "NotBuilt", "_CopyFailed", "_Cut")
SOURCES = sorted(Path(wmtui.__file__).parent.rglob("*.py"))


def _classes() -> Iterator[tuple[Path, ast.ClassDef]]:
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                yield path, node


def _bases(node: ast.ClassDef) -> set[str]:
    return {base.id for base in node.bases if isinstance(base, ast.Name)}


def test_every_error_has_a_code_of_its_own_and_a_kind() -> None:
    found = list(every_error())

    assert [error for error in found if "code" not in vars(error)] == []
    assert len({error.code for error in found}) == len(found)
    assert [error for error in found if not re.fullmatch(r"[a-z]+(-[a-z]+)*", error.code)] == []
    assert {error.kind for error in found} == set(Kind)
    assert [error for error in found if not error.__doc__] == []


def test_no_other_module_defines_an_error() -> None:
    names = {"Exception", "WmtuiError", *(error.__name__ for error in every_error())}
    elsewhere = [node.name for path, node in _classes() if path.name != "errors.py" and _bases(node) & names]

    assert sorted(elsewhere) == sorted(_NOT_FOR_USERS)
    defined = {node.name for path, node in _classes() if path.name == "errors.py" and _bases(node) & names}
    assert defined - {error.__name__ for error in every_error()} == {
        "WmtuiError",
        "ObjectMissing",
        "PreconditionFailed",
        "WriteContended",
    }


@pytest.mark.parametrize("vague", ["WmtuiError", "TableError", "Unreachable"])
def test_what_others_derive_from_is_never_made_itself(vague: str) -> None:
    """Such an error could only have the code of all of them."""
    made = [
        f"{path.name}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == vague
    ]

    assert made == []


def test_the_pages_of_errors_and_documents_are_what_the_lists_say() -> None:
    assert error_page.PAGE.read_text(encoding="utf-8") == error_page.page()
    assert json_page.PAGE.read_text(encoding="utf-8") == json_page.page()


@pytest.mark.parametrize(
    ("several", "one"),
    [
        ([], 0),
        ([0, 6], 6),
        ([6, 5], 5),
        ([5, 1], 1),
        ([1, 4], 4),
        ([4, 3], 3),
        ([3, 143], 143),
        ([143, 130], 130),
        ([0, 1, 3, 4, 5, 6, 130], 130),
    ],
)
def test_of_several_exit_codes_the_most_urgent_counts(several: list[int], one: int) -> None:
    assert combine(map(ExitCode, several)) == one


def test_an_unexpected_exception_is_a_bug_whose_text_is_not_told() -> None:
    try:
        errors.combine([object()])  # type: ignore[list-item]
        raise KeyError("s3cr3t-word")
    except KeyError as error:
        bug = as_wmtui_error(error)

    assert isinstance(bug, Bug)
    assert (bug.code, bug.kind, bug.exit_code) == ("bug", Kind.BUG, ExitCode.TABLE_FAILED)
    assert "KeyError" in bug.what
    assert "s3cr3t-word" not in bug.in_one_line
    assert "s3cr3t-word" in bug.trace
    assert as_wmtui_error(bug) is bug


def test_a_failure_reads_as_its_error() -> None:
    error: WmtuiError = errors.TargetMisfit("a\n b", "because", "do it")

    assert str(error.failure) == error.in_one_line == "a b: because — do it"
    schemas.check({"schema_version": 1, "exit_code": 1, "error": dict(zip(("code", "kind", "what", "why", "next"), (
        error.failure.code, error.failure.kind.value, error.failure.what, error.failure.why, error.failure.next
    ), strict=True))}, "error")  # fmt: skip


@pytest.mark.parametrize("name", sorted(path.stem for path in schemas.FOLDER.glob("*.json") if path.stem != "common"))
def test_a_schema_refuses_what_it_does_not_name(name: str) -> None:
    with pytest.raises(AssertionError):
        schemas.check({"schema_version": 1, "surprise": True}, name)
    with pytest.raises(AssertionError):
        schemas.check({"schema_version": 2}, name)
