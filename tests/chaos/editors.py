"""Many processes that edit one watermark at once: `python -m tests.chaos.editors STORE ENDPOINT EDITORS EDITS`.

Every edit adds one to a counter in the document. On stdout: a JSON line per acknowledged edit, with the moments between
which it took effect, by the clock that all processes of a machine share.
"""

import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import botocore.retries.standard
import botocore.session

from tests.chaos.processes import ROOT
from tests.servers.s3 import ENVIRONMENT, shared_loader
from wmtui.config import S3Config, StoreConfig
from wmtui.errors import Conflict
from wmtui.model import TableName, utc_now
from wmtui.objects import open_store
from wmtui.watermarks.journal import Journal
from wmtui.watermarks.store import Author, WatermarkStore

TABLE = TableName("shop", "orders")


@dataclass(frozen=True)
class Edit:
    """An acknowledged edit: who, which serial it got, what the counter was then, and when it began and ended."""

    editor: int
    serial: int
    counter: int
    began: float
    ended: float


def edit_at_once(store: str, endpoint: str, editors: int, edits: int) -> list[Edit]:
    """Let so many processes make so many edits each; raises CalledProcessError when one of them fails."""
    argv = [sys.executable, "-m", "tests.chaos.editors", store, endpoint, str(editors), str(edits)]
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith("AWS_")}, **ENVIRONMENT}
    done = subprocess.run(argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return [Edit(**json.loads(line)) for line in done.stdout.splitlines()]


def edit_differences(store: str, endpoint: str, acknowledged: list[Edit]) -> Iterator[str]:
    """What the journal and the document say against the acknowledged edits; nothing: all is well."""
    objects = open_store(StoreConfig(store, S3Config(endpoint_url=endpoint or None)), utc_now)
    mark = WatermarkStore(objects, utc_now, Author.current()).read(TABLE).watermark
    kept = Journal(objects, TABLE)
    journal = {entry["serial"]: entry for entry in kept}
    count = len(acknowledged)
    if sorted(journal) != list(range(1, count + 1)):
        yield f"{len(journal)} journal entries up to {max(journal)} for {count} edits"
    if (mark.serial, mark.fields.get("counter")) != (count, count):
        yield f"the document is at serial {mark.serial}, counter {mark.fields.get('counter')} after {count} edits"
    yield from broken(list(journal.values()))
    if journal and kept.left_by(max(journal))[0] != mark.content:
        yield "the document is not what the journal adds up to"
    for edit in acknowledged:
        entry = journal.get(edit.serial, {})
        counter = entry.get("changed", {}).get("counter", {}).get("after")
        if (entry.get("actor"), counter) != (f"editor {edit.editor}", edit.counter):
            yield f"{edit} is not what its journal entry says"
    yield from _out_of_order(acknowledged)


def broken(journal: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each entry that does not begin where the one before it ended. journal: by serial, from the first.

    After a gap nothing is known of the content until an entry holds the whole of it.
    """
    content: dict[str, Any] | None = None
    previous = 0
    for entry in journal:
        changed = entry["changed"]
        if entry.get("previous", entry["serial"] - 1) != previous:
            content = None
        previous = entry["serial"]
        if content is not None:
            before = {name: content[name] for name in changed if name in content}
            if before != {name: sides["before"] for name, sides in changed.items() if "before" in sides}:
                yield f"journal entry {entry['serial']} ({entry['action']}) does not begin where the one before ended"
            content = {name: value for name, value in content.items() if name not in changed}
            content |= {name: sides["after"] for name, sides in changed.items() if "after" in sides}
        if "after" in entry:
            if content not in (None, entry["after"]):
                yield f"journal entry {entry['serial']} holds another content than its changes add up to"
            content = entry["after"]


def _out_of_order(acknowledged: list[Edit]) -> Iterator[str]:
    """Linearizability: an edit that ended before another began has the smaller serial."""
    latest: Edit | None = None
    for edit in sorted(acknowledged, key=lambda edit: edit.serial):
        if latest is not None and edit.ended < latest.began:
            yield f"{edit} had ended when {latest} began"
        if latest is None or edit.began > latest.began:
            latest = edit


def _main(store: str, endpoint: str, editors: str, edits: str) -> int:
    botocore.session.create_loader = shared_loader
    botocore.retries.standard.ExponentialBackoff.delay_amount = lambda *_: 0.05
    children = [_fork(lambda n=n: _edit(store, endpoint, n, int(edits))) for n in range(int(editors))]
    return max(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0 for pid in children)


def _fork(work: Callable[[], Any]) -> int:
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            if code:
                sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
            os._exit(code)
    return pid


def _edit(store: str, endpoint: str, editor: int, edits: int) -> None:
    random.seed()
    objects = open_store(StoreConfig(store, S3Config(endpoint_url=endpoint or None)), utc_now)
    watermarks = WatermarkStore(objects, utc_now, Author(f"editor {editor}", "chaos"))
    lines = []
    while len(lines) < edits:
        began = time.monotonic()
        try:
            mark = watermarks.change(TABLE, "edit", lambda mark: {"counter": mark.fields.get("counter", 0) + 1})
        except Conflict:  # refused, so it must not be in the journal
            continue
        times = {"began": began, "ended": time.monotonic()}
        lines.append(json.dumps({"editor": editor, "serial": mark.serial, "counter": mark.fields["counter"], **times}))
    os.write(1, "".join(f"{line}\n" for line in lines).encode())


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
