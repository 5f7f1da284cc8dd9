"""Making, continuing, moving and resetting the sandbox."""

import shutil
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from wmtui.demo import open_demo
from wmtui.demo.replay import MOMENT
from wmtui.demo.sandbox import MARKER, default_folder
from wmtui.errors import Conflict, StoreError, UsageError
from wmtui.files.verdicts import VerdictReason
from wmtui.model import TableName
from wmtui.service import Request, Service

_ROOT = Path(__file__).parents[2]
_TABLE = TableName("logistics", "route_stop_scan")


def _quietly(folder: Path, *, reset: bool = False) -> Service:
    settings, clock = open_demo(folder, reset, lambda _: None)
    return Service(settings, clock=clock)


def _start(folder: Path, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.demo.few", str(folder), *words]
    return subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _rows(folder: Path) -> list[tuple[object, ...]]:
    with duckdb.connect(folder / "shop.duckdb", read_only=True) as connection:
        return connection.execute(f"SELECT * FROM {_TABLE} ORDER BY id").fetchall()


@pytest.mark.usefixtures("few")
def test_the_first_use_makes_the_sandbox_and_says_so(tmp_path: Path) -> None:
    lines: list[str] = []
    settings, clock = open_demo(tmp_path / "demo", False, lines.append)
    assert settings.profile_name == "demo"
    assert settings.path == tmp_path / "demo" / "tables.yaml"
    assert (clock() - MOMENT).total_seconds() < 60
    assert lines[0] == f"making the demo sandbox in {tmp_path / 'demo'}"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".demo.lock", "demo"]


@pytest.mark.usefixtures("few")
def test_a_later_start_continues_with_what_is_there(tmp_path: Path) -> None:
    first = _quietly(tmp_path / "demo")
    first.watermarks.set(_TABLE, "2025-08-13", reason="a test")
    left = first.workspace.clock()
    del first
    lines: list[str] = []
    settings, clock = open_demo(tmp_path / "demo", False, lines.append)
    assert lines == []
    assert clock() > left
    assert Service(settings, clock=clock).watermarks.get(_TABLE).is_manual


@pytest.mark.usefixtures("few")
def test_two_sandboxes_have_the_same_rows_and_files_of_the_same_times(tmp_path: Path) -> None:
    one, other = _quietly(tmp_path / "one"), _quietly(tmp_path / "other")
    assert _rows(tmp_path / "one") == _rows(tmp_path / "other")
    times = [[file.last_modified for file in s.files.select(_TABLE).listing.candidates] for s in (one, other)]
    assert times[0] == times[1] != []


@pytest.mark.usefixtures("few")
def test_files_loaded_in_the_past_count_as_loaded_also_where_the_sandbox_was_moved_to(tmp_path: Path) -> None:
    _quietly(tmp_path / "demo")
    shutil.move(tmp_path / "demo", tmp_path / "moved")
    for folder in ("moved", "moved"):
        service = _quietly(tmp_path / folder)
        assert service.files.select(_TABLE).summary.reasons == {VerdictReason.LOADED: 1}
        (preview,) = service.syncs.preview(Request((_TABLE,), redshift_only=True), emit=lambda _: None)
        assert preview.selection is not None
        assert preview.selection.summary.reasons == {VerdictReason.LOADED: 1}


def test_processes_that_start_at_once_share_one_sandbox(tmp_path: Path) -> None:
    processes = [_start(tmp_path / "demo") for _ in range(3)]
    outcomes = [process.communicate(timeout=100) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outcomes
    assert sum("making the demo" in printed for printed, _ in outcomes) == 1


@pytest.mark.usefixtures("few")
def test_a_kill_half_way_leaves_no_half_made_sandbox(tmp_path: Path) -> None:
    process = _start(tmp_path / "demo", "hang")
    assert process.stdout is not None
    while "source" not in process.stdout.readline():
        assert process.poll() is None
    process.kill()
    process.communicate()
    assert not (tmp_path / "demo").exists()
    assert (tmp_path / ".demo.building").exists()
    assert _quietly(tmp_path / "demo").files.select(_TABLE).summary.found == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == [".demo.lock", "demo"]


@pytest.mark.usefixtures("few")
def test_a_failure_half_way_leaves_nothing_behind(tmp_path: Path) -> None:
    def full(text: str) -> None:
        if "source" in text:
            raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="disk is full"):
        open_demo(tmp_path / "demo", False, full)
    assert [path.name for path in tmp_path.iterdir()] == [".demo.lock"]


@pytest.mark.usefixtures("few")
def test_a_reset_makes_the_sandbox_anew(tmp_path: Path) -> None:
    service = _quietly(tmp_path / "demo")
    service.watermarks.set(_TABLE, "2025-08-13", reason="a test")
    del service
    service = _quietly(tmp_path / "demo", reset=True)
    assert not service.watermarks.get(_TABLE).is_manual
    assert (service.workspace.clock() - MOMENT).total_seconds() < 60


@pytest.mark.usefixtures("few")
def test_a_reset_while_somebody_uses_the_sandbox_is_refused(tmp_path: Path) -> None:
    service = _quietly(tmp_path / "demo")
    with pytest.raises(Conflict, match="is in use"):
        _quietly(tmp_path / "demo", reset=True)
    assert service.files.select(_TABLE).summary.found == 1


@pytest.mark.parametrize("reset", [False, True])
def test_a_folder_of_something_else_is_refused_and_left_as_it_was(tmp_path: Path, reset: bool) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(UsageError) as caught:
        open_demo(tmp_path, reset, lambda _: None)
    assert "--demo-dir" in caught.value.next_step
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


@pytest.mark.usefixtures("few")
def test_an_empty_folder_becomes_the_sandbox(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    _quietly(tmp_path / "demo")
    assert (tmp_path / "demo" / MARKER).is_file()


def test_a_place_that_cannot_hold_a_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="cannot use"):
        open_demo(tmp_path / "file" / "demo", False, lambda _: None)


def test_the_default_place_is_the_users_cache_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert default_folder() == Path("/caches/wmtui/demo")
    for ignored in ("", "not/absolute"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert default_folder() == Path("~/.cache/wmtui/demo")
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_folder() == Path("~/Library/Caches/wmtui/demo")
