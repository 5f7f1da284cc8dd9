"""What every failure owes an operator, checked in one place.

It says what, why and the next step on stderr; it ends with the exit code of its kind; it shows a traceback only with
--debug and a secret never; and it leaves store, source and warehouse as they were, but for the note that it happened.
"""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.shell import Operator

PASSWORD = "correct-horse"
"""Of the database servers and, as secret key, of the S3 server."""
WRONG_PASSWORD = "incorrect-donkey"
TOKEN = "expired-session-token"
SECRETS = (PASSWORD, WRONG_PASSWORD, TOKEN)

servers = pytest.mark.pipeline("servers")
embedded = pytest.mark.pipeline("embedded")
"""Of tests that one kind of pipeline alone can be given."""

_CHANGED_BY_ANY_RUN = (
    "token",
    "compared_in",
    "last_run",
    "renewed",
    "write_id",
    "rows",
    "clock_read",
    "target_columns",
    "journalled",
)

World = dict[str, Any]


class Refusals:
    """Commands that must fail, on one pipeline. contents: reads every object of the store directly."""

    def __init__(
        self, operator: Operator, contents: Callable[[], Mapping[str, bytes]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.operator = operator
        self.stack = operator.stack
        self.monkeypatch = monkeypatch
        self._contents = contents
        self._log = self.stack.path.parent / "wmtui.log"

    def refused(
        self,
        commands: str | Iterable[str],
        code: int,
        *words: str,
        failed: str | None = None,
        during: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        """Type commands that must fail, each plainly and with --debug; words: all of them stand in the error.

        failed: the status field of T that notes the failure, the only change besides the freed lease.
        during: what is true only while the commands run.
        """
        before = self._world()
        with during():
            for command in [commands] if isinstance(commands, str) else commands:
                self.operator.type(command, code=code)
                printed = self.operator.err
                self._shows_no_secret()
                self.operator.type(f"{command} --debug --log-file {self._log}", code=code)
                self._shows_no_secret()
                assert "Traceback" not in printed
                assert _explains(printed), printed
                assert [word for word in words if word not in printed] == [], printed
        self._unchanged(before, self._world(), failed)

    def doctor_finds(self, code: int, *words: str) -> None:
        """`wmtui doctor` reports it too, with a next step."""
        found = self.operator.json("wmtui doctor -t T", code=code)
        self._shows_no_secret()
        errors = [finding for finding in found["findings"] if finding["level"] == "error"]
        assert [error for error in errors if not error["next_step"]] == []
        assert any(all(word in error["finding"] for word in words) for error in errors), errors

    def profile(self, **changes: Any) -> None:
        """Change the profile; a mapping is merged into the one that is there."""
        profile = self.stack.document["profiles"]["test"]
        for name, value in changes.items():
            profile[name] = {**profile.get(name, {}), **value} if isinstance(value, dict) else value
        self.write(yaml.safe_dump(self.stack.document, sort_keys=False))

    def write(self, configuration: str) -> None:
        """Make this the text of tables.yaml."""
        self.stack.path.write_text(configuration)

    def put(self, key: str, data: bytes) -> None:
        """Write an object as another program would."""
        self.stack.service.workspace.objects.put(key, data)

    def get(self, key: str) -> bytes:
        """An object's content."""
        return self._contents()[key]

    def _world(self) -> World:
        """All that a command could change: every object, and every row of source and warehouse."""
        rows = {f"source {name}": self.stack.source_rows(name) for name in self._source_tables()}
        return {**self._contents(), **rows, **self._warehouse_rows()}

    def _source_tables(self) -> list[str]:
        query = f"SELECT table_name FROM information_schema.tables WHERE table_schema = '{self.stack.schema}'"
        return [name for (name,) in self.stack.source(query) if name in ("orders", "items")]

    def _warehouse_rows(self) -> World:
        """Rows by table; a table without rows is none."""
        tables = (
            "SELECT table_name FROM information_schema.tables"
            " WHERE table_schema IN ('public', 'main') AND table_type = 'BASE TABLE'"
        )
        rows = {
            name: self.stack.warehouse(f'SELECT * FROM "{name}" ORDER BY 1, 2')
            for (name,) in self.stack.warehouse(tables)
        }
        return {f"warehouse {name}": found for name, found in rows.items() if found}

    def _unchanged(self, before: World, after: World, failed: str | None) -> None:
        table = self.stack.table("orders")
        document, journal = f"watermark/tables/{table.key}.json", f"watermark/journal/{table.key}/"
        for key in sorted(before.keys() | after.keys()):
            old, new = before.get(key), after.get(key)
            if old == new:
                continue
            if key.startswith("watermark/locks/"):
                assert _facts(old) == _facts(new), key
            elif failed is not None and key == document:
                assert _noted(old, new, failed), key
            else:
                journalled = failed is not None and old is None and key.startswith(journal)
                assert journalled, f"{key} changed: {old} → {new}"

    def _shows_no_secret(self) -> None:
        log = self._log.read_text() if self._log.exists() else ""
        for secret in SECRETS:
            assert secret not in self.operator.out + self.operator.err + log
            assert not [key for key, data in self._contents().items() if secret.encode() in data]


def _explains(printed: str) -> bool:
    """What, why and next: of the command in three lines, or of each table that failed in one."""
    of_command = re.search(r"^wmtui: \S.*\n(  why: \S.*\n)?  next: \S", printed, re.MULTILINE)
    if of_command is not None:
        return of_command[1] is not None or "see `wmtui" in printed
    return re.search(r"^\S+\.(orders|items): \S.*: .*\S — \S", printed, re.MULTILINE) is not None


def _facts(lock: bytes | None) -> dict[str, Any]:
    """What a lock document says beyond the run that ended, whose lease is free."""
    fields = json.loads(lock or b"{}")
    assert fields.get("owner") is None
    return {name: value for name, value in fields.items() if value is not None and name not in _CHANGED_BY_ANY_RUN}


def _noted(old: bytes | None, new: bytes | None, failed: str) -> bool:
    """Whether a watermark differs in nothing but the note of a failure."""
    before, after = json.loads(old or b"{}"), json.loads(new or b"{}")
    assert after[failed] == "failed"
    assert " — " in after["last_error"]
    same = [name for name in before if name not in (failed, "last_error", "metadata", "warehouses")]
    if failed == "redshift_status":
        return all(after[name] == before[name] for name in same) and _noted_there(before, after)
    return all(after[name] == before[name] for name in [*same, "warehouses"])


def _noted_there(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Whether of what loads into each warehouse left nothing differs but the same note."""
    known, noted = before["warehouses"], after["warehouses"]
    for warehouse in known.keys() | noted.keys():
        old, new = known.get(warehouse, {}), noted[warehouse]
        note = {"status": "failed", "error": after["last_error"]}
        if new not in (old, {**old, **note}, {**old, **note, "profile": "test"}):
            return False
    return True


def folder_contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder store by key, its temporary ones too."""
    files = (Path(top) / name for top, _, names in os.walk(folder) for name in names)
    keys = {str(file.relative_to(folder)): file for file in files}
    return {key: file.read_bytes() for key, file in keys.items() if not key.startswith((".wmtui/etags", ".wmtui/lock"))}
