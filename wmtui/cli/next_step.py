"""The command that one would type next, told at a terminal after each success."""

import shlex
from collections.abc import Callable, Mapping
from typing import Any

from wmtui.cli.options import GlobalOptions

Asked = Mapping[str, Any]
"""The command's own options and arguments, by name."""


def next_command(command: str, asked: Asked, options: GlobalOptions) -> str | None:
    """What comes after a command that succeeded, with the global options it needs; None after one not known.

    command: its words, such as `wmtui watermark set`.
    """
    following = _AFTER.get(command.removeprefix("wmtui").strip())
    return None if following is None else " ".join(["wmtui", *_globals(options), following(asked)])


def _globals(options: GlobalOptions) -> list[str]:
    """The options that say which pipeline is meant."""
    given = {"--config": options.config, "--profile": options.profile, "--demo-dir": options.demo_dir}
    named = [word for name, value in given.items() if value is not None for word in (name, shlex.quote(str(value)))]
    return [*(["--demo"] if options.demo else []), *named]


def _tables(asked: Asked) -> str:
    """The tables as they were named; "" where none was."""
    found = asked.get("tables") or [asked.get("table")]
    return "".join(f" -t {shlex.quote(table)}" for table in found if table)


def _always(text: str) -> Callable[[Asked], str]:
    return lambda _: text


def _of_table(text: str, otherwise: str) -> Callable[[Asked], str]:
    """text with `{}` for the tables, or what follows where none was named."""
    return lambda asked: text.format(_tables(asked)) if _tables(asked) else otherwise


def _after_sync(asked: Asked) -> str:
    if asked["dry_run"]:
        flags = [f" --{name.replace('_', '-')}" for name in ("redshift_only", "backup_only") if asked[name]]
        return f"sync{_tables(asked)}{''.join(flags)}"
    if asked["backup_only"]:
        return f"sync{_tables(asked)} --redshift-only"
    return f"verify{_tables(asked)}"


def _after_files(asked: Asked) -> str:
    decided = asked["skipped"] or asked["write_off"] or asked["taken_back"]
    return f"files{_tables(asked)}" if decided else f"sync{_tables(asked)} --dry-run"


_PREVIEW = _of_table("sync{} --dry-run", "--run --dry-run")
_AFTER: dict[str, Callable[[Asked], str]] = {
    "accept": _of_table("sync{}", "status"),
    "clean": lambda asked: f"clean{_tables(asked)}" if asked["dry_run"] else "status",
    "doctor": _PREVIEW,
    "files": _after_files,
    "locks": _always("status"),
    "--run": lambda asked: "--run" if asked["dry_run"] else "status",
    "status": _always("watermark list"),
    "store accept": _always("--run --dry-run"),
    "store show": _always("doctor"),
    "sync": _after_sync,
    "unlock": _always("locks"),
    "verify": _always("status"),
    "watermark get": _of_table("watermark history{}", "watermark list"),
    "watermark history": _of_table("watermark get{}", "watermark list"),
    "watermark list": _always("status"),
    "watermark pin": _of_table("watermark unpin{}", "watermark list"),
    "watermark reset": _PREVIEW,
    "watermark set": _PREVIEW,
    "watermark undo": _PREVIEW,
    "watermark unpin": _PREVIEW,
}
