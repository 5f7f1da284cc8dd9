"""How many files a second the rules judge: `python -m benchmarks verdicts`, no server needed.

A row for each kind of watermark, the median of several runs, by processor time. A third of the files is loaded, a third
own parts, a third foreign, all spread over 40 days.
"""

import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from benchmarks.figures import Figure
from benchmarks.options import Options
from wmtui.files.verdicts import Basis, Candidate, PartOf, judge
from wmtui.runs.load_records import Load, Loads
from wmtui.runs.run_document import RunState

FILES = 1_000_000
RUNS = 5
NOON = datetime(2025, 8, 14, 12, tzinfo=UTC)

BASES = {
    "manual": Basis(1, after=NOON),
    "automated": Basis(1, extraction_time=NOON, load_floor=NOON - timedelta(days=19)),
    "none": Basis(1),
}


def make_files(count: int) -> tuple[list[Candidate], Loads]:
    """Candidates, and which of them are loaded."""
    files = []
    for number in range(count):
        etag = f"{number:032x}"
        part = PartOf("0198a4f3c0001a2b3c", RunState.COMMITTED, 1, etag, 10) if number % 3 else None
        at = NOON + timedelta(seconds=number % (40 * 86_400) - 20 * 86_400)
        key = f"incremental/shop.orders/{number:08}.parquet"
        files.append(Candidate(key, f"s3://lake/{key}", etag, 100, at, part))
    return files, {f.key: Load(f.etag, NOON, "load-1") for f in files[::3]}


def pace(files: list[Candidate], basis: Basis, loaded: Loads) -> float:
    """Files a second of processor time, the median of several runs."""
    taken = []
    for _ in range(RUNS):
        began = time.process_time()
        judge(files, basis, loaded)
        taken.append(time.process_time() - began)
    return len(files) / statistics.median(taken)


def figures(options: Options) -> Iterator[Figure]:
    """A row for each kind of watermark."""
    files, loaded = make_files(FILES // 10 if options.quick else FILES)
    for name, basis in BASES.items():
        yield Figure(f"verdicts, {name}", pace(files, basis, loaded), "files/s of CPU", None, 1_000_000, at_least=True)
