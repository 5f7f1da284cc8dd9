"""The screen at a real terminal: the first frame against a bare Textual app, and from a key to its paint.

`python -m benchmarks screen` opens wmtui on a folder store with 36 and with 10,000 tables, and on one with a table of
1,000,000 files. The bare app has as many widgets in the same places, and Textual's own footer. Then it counts what a
screen over 200 tables in S3 asks of the store while nobody touches it.
"""

import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import yaml

from benchmarks.figures import Figure
from benchmarks.options import Options
from tests.servers.s3 import ENVIRONMENT, S3Server
from tests.tui.terminal import Terminal

TABLES = (36, 10_000)
FILES = 1_000_000
FRAMES, QUICK_FRAMES = 9, 3
PRESSES = 100
PATIENCE_SECONDS = 120.0
IDLE_TABLES = 200
IDLE_SECONDS = 60.0
FIRST_FILE = datetime(2026, 8, 1, tzinfo=UTC)
MARK = FIRST_FILE + timedelta(seconds=FILES // 2)
"""Half of the files are after it."""
BARE = """
from textual.app import App
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.widgets import ContentSwitcher, Footer, Input, Static


class Bare(App):
    BINDINGS = [Binding(letter, "nothing", f"Key {letter}") for letter in "abcdefg"]
    CSS = '''
    Vertical { border: round white; }
    #top { height: 3fr; } #log { height: 1fr; }
    #tables { width: 1fr; } #detail { width: 1fr; } #prompt { display: none; }
    '''

    def compose(self):
        yield Static("status")
        yield Static("guide")
        with Horizontal(id="top"):
            with Vertical(id="tables") as pane:
                pane.border_title = "1 Tables"
                yield Static("header")
                yield Static("lines")
            with Vertical(id="detail"):
                yield Static("tabs")
                with ContentSwitcher(initial="fields"):
                    yield Static("lines", id="fields")
                    with Vertical(id="files"):
                        yield Static("summary")
                        yield Static("lines")
                    with Vertical(id="history"):
                        yield Static("summary")
                        yield Static("lines")
        with Vertical(id="log"):
            yield Static("lines")
        yield Input(id="prompt")
        yield Footer(compact=True)


Bare().run()
"""


def figures(options: Options) -> Iterator[Figure]:
    """First frames, keys and the memory at its peak."""
    for count in TABLES:
        with tempfile.TemporaryDirectory(prefix="wmtui-bench-") as name:
            folder = Path(name)
            make_tables(folder, count)
            yield compare_first_frames(folder, count, QUICK_FRAMES if options.quick else FRAMES)
            yield from press_in_the_list(folder, count)
    if options.quick:
        return
    with tempfile.TemporaryDirectory(prefix="wmtui-bench-") as name:
        folder = Path(name)
        make_tables(folder, 1)
        make_files(folder, FILES)
        yield from press_in_the_files(folder)
    with tempfile.TemporaryDirectory(prefix="wmtui-bench-") as name, S3Server() as s3:
        yield count_idle_requests(Path(name), s3)


def table(number: int) -> str:
    """Its name."""
    return f"shop.table_{number:05}"


def make_tables(folder: Path, count: int) -> None:
    """A configuration, and a watermark for each table."""
    marks = folder / "lake" / "watermark" / "tables"
    marks.mkdir(parents=True)
    embedded = {"type": "duckdb", "path": str(folder / "none.duckdb")}
    profile = {"store": str(folder / "lake"), "source": embedded, "warehouse": embedded}
    tables: dict[str, dict[str, str]] = {table(number): {} for number in range(count)}
    (folder / "tables.yaml").write_text(
        yaml.safe_dump({"version": 1, "profiles": {"p": profile}, "tables": tables}, sort_keys=False)
    )
    for name in tables:
        document = {"table_name": name, "last_mysql_data_timestamp": f"{MARK:%Y-%m-%d %H:%M:%S}"}
        (marks / f"{name}.json").write_bytes(msgspec.json.encode(document))


def make_files(folder: Path, count: int) -> None:
    """A file each second, in the folder of its day."""
    root = folder / "lake" / "incremental" / table(0)
    for number in range(count):
        at = FIRST_FILE + timedelta(seconds=number)
        day = root / f"year={at:%Y}" / f"month={at:%m}" / f"day={at:%d}"
        if number % 86_400 == 0:
            day.mkdir(parents=True)
        path = day / f"{number:08}.parquet"
        path.touch()
        os.utime(path, (at.timestamp(), at.timestamp()))


def count_idle_requests(folder: Path, s3: S3Server) -> Figure:
    """What a screen asks in a minute in which nothing happens, after it has read all tables."""
    os.environ.update(ENVIRONMENT)
    make_tables(folder, IDLE_TABLES)
    bucket = s3.new_bucket()
    for path in (folder / "lake").rglob("*.json"):
        s3.fill(bucket, [str(path.relative_to(folder / "lake"))], path.read_bytes())
    document = yaml.safe_load((folder / "tables.yaml").read_text())
    document["profiles"]["p"] |= {"store": f"s3://{bucket}", "s3": {"endpoint_url": s3.endpoint_url}}
    (folder / "tables.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
    with Terminal(cwd=folder, emulated=False) as terminal:
        wait(terminal, 0, b"seen ")
        calm_requests(s3)
        before = len(s3.requests)
        time.sleep(IDLE_SECONDS)
        asked = len(s3.requests) - before
    return Figure(f"idle screen, {IDLE_TABLES} tables in S3", asked * 60 / IDLE_SECONDS, "requests a minute", budget=30)


def calm_requests(s3: S3Server) -> None:
    """Wait until nothing was asked for a while."""
    count = -1
    while count != len(s3.requests):
        count = len(s3.requests)
        time.sleep(3.0)


def compare_first_frames(folder: Path, count: int, times: int) -> Figure:
    """From the start of the process until the frame is painted, in turn."""
    bare = folder / "bare.py"
    bare.write_text(BARE)
    ours, least = [], []
    for _ in range(times):
        least.append(first_frame(folder, [str(bare)], b"1 Tables"))
        ours.append(first_frame(folder, ["-m", "wmtui"], table(0).encode()))
    mine, floor = statistics.median(ours), statistics.median(least)
    budget = 1.5 if count < 10_000 else 2.0
    return Figure(f"first frame, {count:,} tables, to a bare app", mine * 1000, "ms", mine / floor, budget)


def first_frame(folder: Path, arguments: Sequence[str], marker: bytes) -> float:
    """Seconds until the terminal gets a text."""
    began = time.perf_counter()
    with Terminal(program=arguments, cwd=folder, emulated=False) as terminal:
        return wait(terminal, 0, marker) - began


def press_in_the_list(folder: Path, count: int) -> Iterator[Figure]:
    """Down, filter, and sort in the list of tables."""
    with Terminal(cwd=folder, emulated=False) as terminal:
        wait(terminal, 0, b"seen ")
        calm(terminal)
        steps = min(PRESSES, count - 1)
        yield from report(
            f"down, {count:,} tables", [press(terminal, "j", table(n + 1).encode()) for n in range(steps)], terminal
        )
        taken = []
        for number in range(PRESSES // 10):
            name = table((number * 997) % count)
            terminal.send("/")
            digits = name[-5:]
            taken += [press(terminal, digit, f"/{digits[: n + 1]} ".encode()) for n, digit in enumerate(digits)]
            terminal.send("\x1b")
            time.sleep(0.5)  # Escape and the next key at once would be one key, with Alt.
        yield from report(f"filter, {count:,} tables", taken, terminal)


def press_in_the_files(folder: Path) -> Iterator[Figure]:
    """The tab of a table with very many files."""
    began = time.perf_counter()
    with Terminal("-t", table(0), cwd=folder, emulated=False) as terminal:
        wait(terminal, 0, table(0).encode())
        terminal.send("f")
        wait(terminal, 0, f"/{FILES:,}".encode())
        yield Figure(f"files of a table listed, judged and shown, {FILES:,}", time.perf_counter() - began, "s")
        calm(terminal)
        newest = FIRST_FILE + timedelta(seconds=FILES - 1)
        taken = [press(terminal, "j", row(newest - timedelta(seconds=n + 1))) for n in range(PRESSES)]
        yield from report(f"down, {FILES:,} files", taken, terminal)
        terminal.send("g")
        taken = []
        for _ in range(PRESSES // 10):
            calm(terminal)
            terminal.send("t")
            taken += [press(terminal, "t", row(MARK)), press(terminal, "t", row(newest))]
        yield from report(f"only dropped, then all, {FILES:,} files", taken, terminal)


def row(at: datetime) -> bytes:
    """What the line of the file of this moment begins with."""
    return f"{at:%m-%d %H:%M:%S}".encode()


def press(terminal: Terminal, key: str, marker: bytes) -> float:
    """Seconds from a key to the paint that shows a text."""
    calm(terminal)
    before = len(terminal.output)
    began = time.perf_counter()
    terminal.send(key)
    return wait(terminal, before, marker) - began


def wait(terminal: Terminal, before: int, marker: bytes) -> float:
    """When a text is in what was written since, on the clock of `perf_counter`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while marker not in terminal.output[before:]:
        if time.monotonic() > deadline or terminal.process.poll() is not None:
            raise TimeoutError(f"the screen never showed {marker!r}")
        time.sleep(0.0005)
    return time.perf_counter()


def calm(terminal: Terminal) -> None:
    """Wait until nothing was written for a while."""
    count = -1
    while count != len(terminal.output):
        count = len(terminal.output)
        time.sleep(0.12)


def report(what: str, taken: Sequence[float], terminal: Terminal) -> Iterator[Figure]:
    """The 95th percentile, and the memory of the process at its peak."""
    ordered = sorted(taken)
    p95 = ordered[min(len(ordered) - 1, round(0.95 * len(ordered)))]
    yield Figure(f"key to paint, p95 of {len(ordered)}, {what}", p95 * 1000, "ms", budget=50)
    status = Path(f"/proc/{terminal.process.pid}/status").read_text(encoding="ascii")
    peak = int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]
    yield Figure(f"memory after that, {what}", peak, "MiB")
