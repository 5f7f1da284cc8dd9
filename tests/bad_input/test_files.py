"""Files that are not what their name says, a table that another process is at work on, and a reader that goes away."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.bad_input.refusals import Refusals, embedded

LOAD = "wmtui sync -t T --redshift-only"


def parquet(**columns: object) -> bytes:
    """A Parquet file with these columns."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return bytes(sink.getvalue())


def foreign(refusals: Refusals, data: bytes) -> str:
    """Another program's file among those of T; returns its key."""
    key = f"incremental/{refusals.stack.table().key}/export.parquet"
    refusals.put(key, data)
    return key


AT = pa.array([None], pa.timestamp("us"))
WHOLE = parquet(id=[7], note=["seven"], update_at=AT)
FILES = {
    "empty": (b"", "not a readable Parquet file"),
    "text": (b"id,amount\n1,2\n", "not a readable Parquet file"),
    "truncated": (WHOLE[:-20], "not a readable Parquet file"),
    "damaged": (WHOLE[:4] + b"\0" * 60 + WHOLE[64:], "the file is damaged"),
    "without key": (parquet(note=["x"], update_at=AT), "has no column id"),
    "without cursor": (parquet(id=[1], note=["x"]), "has no column update_at"),
    "other columns": (parquet(a=[1], b=[2]), "has no column a, b"),
    "NULL key": (parquet(id=pa.array([None], pa.int64()), update_at=AT), "NULL"),
    "other type": (parquet(id=[{"nested": 1}], update_at=AT), "column id has type struct"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_cannot_be_loaded_is_told_by_its_key(refusals: Refusals, name: str) -> None:
    data, words = FILES[name]
    key = foreign(refusals, data)

    refusals.refused(LOAD, 1, key, words, failed="redshift_status")


def test_a_part_that_was_replaced_or_truncated_is_told_by_its_key(refusals: Refusals) -> None:
    refusals.operator.type("wmtui sync -t T --backup-only")
    key = max(refusals.stack.keys(f"incremental/{refusals.stack.table().key}/"))
    refusals.put(key, refusals.get(key)[:-10])

    refusals.refused(LOAD, 1, key, "was replaced", "restore", failed="redshift_status")
    refusals.refused(f"{LOAD} --dry-run", 1, key, "was replaced", "restore")


def test_a_key_that_is_no_file_of_the_table_names_the_nearest(refusals: Refusals) -> None:
    key = foreign(refusals, WHOLE)

    refusals.refused(f"{LOAD} --reprocess --key {key}x", 2, f"no file {key}x", f"did you mean {key}")


def test_a_table_that_a_live_run_holds_is_told_with_its_holder(refusals: Refusals) -> None:
    key = f"watermark/locks/{refusals.stack.table().key}.json"
    held = {"owner": "ann", "host": "batch-1", "pid": 4242, "run": "r", "phase": "staging", "rows": 5}
    lock = json.dumps({**json.loads(refusals.get(key)), **held}).encode()
    refusals.monkeypatch.setattr("tests.bad_input.refusals._facts", lambda lock: lock)
    refusals.put(key, lock)

    commands = ("wmtui sync -t T", LOAD, "wmtui watermark set -t T aug4 --force", "wmtui watermark reset -t T --force")
    refusals.refused(commands, 5, "is held by ann on batch-1 (pid 4242)", "phase staging", "wait for it")
    refusals.operator.type("wmtui watermark get -t T")


def test_a_pinned_table_is_not_extracted(refusals: Refusals) -> None:
    key = f"watermark/tables/{refusals.stack.table().key}.json"
    pin = {"owner": "ann", "reason": "backfill", "until": None}
    refusals.put(key, json.dumps({**json.loads(refusals.get(key)), "pin": pin}).encode())
    refusals.operator.type("wmtui sync -t T --backup-only", code=5)

    refusals.refused("wmtui sync -t T --backup-only", 5, "is pinned", "by ann", "backfill", "unpin")


@embedded
@pytest.mark.parametrize("command", ["watermark list", "files -t T --json", "status", "sync -t T", "--run --json"])
def test_a_reader_that_goes_away_ends_the_output_quietly(refusals: Refusals, command: str) -> None:
    arguments = [str(refusals.stack.table()) if word == "T" else word for word in command.split()]
    read, write = os.pipe()
    os.close(read)
    found = subprocess.run(
        [sys.executable, "-m", "wmtui", "--config", refusals.stack.path, *arguments],
        stdout=write,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        text=True,
        check=False,
    )
    os.close(write)

    assert found.returncode == 0, found.stderr
    assert "Traceback" not in found.stderr
    assert "Broken pipe" not in found.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has /dev/full")
def test_a_log_file_that_takes_no_more_is_told(refusals: Refusals) -> None:
    for command in ("sync -t T", "--run", "watermark get"):
        refusals.operator.type(f"wmtui {command} --log-file /dev/full", code=2)
        assert "cannot write the log file /dev/full" in refusals.operator.err
        assert "No space left" in refusals.operator.err
