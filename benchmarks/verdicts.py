"""How many files a second the rules judge: `python -m benchmarks.verdicts [FILES]`, no server needed.

Prints the best of several runs per kind of watermark. A third of the files is loaded, a third own parts, a third
foreign, all spread over 40 days.
"""

import sys
import time
from datetime import UTC, datetime, timedelta

from wmtui.files.verdicts import Basis, Candidate, PartOf, judge
from wmtui.runs.load_records import Load, Loads
from wmtui.runs.run_document import RunState

FILES = 1_000_000
RUNS = 3
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


def seconds(files: list[Candidate], basis: Basis, loaded: Loads) -> float:
    """The shortest of several runs."""
    best = float("inf")
    for _ in range(RUNS):
        began = time.perf_counter()
        judge(files, basis, loaded)
        best = min(best, time.perf_counter() - began)
    return best


def main(count: int = FILES) -> None:
    """Print a line per kind of watermark."""
    files, loaded = make_files(count)
    for name, basis in BASES.items():
        print(f"verdicts, {name}: {count / seconds(files, basis, loaded):,.0f} files/s")


if __name__ == "__main__":
    main(*(int(argument) for argument in sys.argv[1:]))
