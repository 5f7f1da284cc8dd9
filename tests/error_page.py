"""`python -m tests.error_page`: print docs/errors.md from the list of errors."""

from pathlib import Path

from wmtui.errors import Kind, WmtuiError, every_error

PAGE = Path(__file__).parent.parent / "docs" / "errors.md"

_HEAD = """\
# Errors

What wmtui says when something does not succeed: what happened, why, and the next step. With `--json` an error has a
`code` and a `kind` too, and they are what a script should go by: the words may change, codes and kinds stay. Where they
stand in a document: [JSON](json.md).

| kind | what to do |
|---|---|
"""
_KINDS = {
    Kind.USAGE: "mend the command or the configuration; the same command fails again",
    Kind.RETRY: "run it again later: another process is at work, or something could not be reached",
    Kind.REFUSAL: "nothing is broken: wmtui declines until an operator decides or changes what `next` says",
    Kind.INTEGRITY: "look at it: what is stored is damaged, lost, or not what was written",
    Kind.BUG: "report it with the traceback, which `--debug` shows and `--log-file` has",
}
_CODES = """
Exit codes of several tables: the first of 130, 143, 3, 4, 1, 5, 6. With `--run` a table that is pinned, and one with
nothing to load, count for 0 and are reported.

| code | kind | exit | |
|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    kinds = "".join(f"| `{kind}` | {does} |\n" for kind, does in _KINDS.items())
    errors = sorted(every_error(), key=lambda error: error.code)
    return _HEAD + kinds + _CODES + "".join(map(_line, errors))


def _line(error: type[WmtuiError]) -> str:
    code = "130, 143" if error.code == "interrupted" else int(error.exit_code)
    meaning = " ".join((error.__doc__ or "").split())
    return f"| `{error.code}` | {error.kind} | {code} | {meaning} |\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
