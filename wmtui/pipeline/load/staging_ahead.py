"""Parts staged in the warehouse while the next ones are still read, so that the load finds them there."""

import threading
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial

import pyarrow as pa

from wmtui.errors import TableError, as_wmtui_error
from wmtui.events import Severity
from wmtui.pipeline.context import Job
from wmtui.pipeline.load.load_request import empty_request
from wmtui.runs.run_document import Part
from wmtui.warehouses import LoadFile

_HELD = 2
"""Parts whose rows are held in memory at most: one that is being staged, and one that waits."""
_BETWEEN = 1024
"""Numbers kept free before each part: for files that the load brings too, and that go before it."""
_FIRST = 2**20


class StagingAhead:
    """The staging of one sync, in a thread of its own. Whatever it meets, the extraction neither fails nor waits, and
    the load stages what is not there: what was staged counts only in a load that chose the very file.
    """

    def __init__(self, job: Job) -> None:
        options = job.options
        self._job = job
        self._load_id = uuid.uuid4().hex
        self._wanted = job.backend.warehouse.stages_ahead and options.load and options.extract and not options.keys
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=f"stage {job.table}")
        self._held: list[Future[None]] = []
        self._lock = threading.Lock()
        self._run, self._before, self._count = "", 0, 0

    def add(self, run: str, number: int, part: Part, rows: pa.Table) -> None:
        """Stage a durable part of a run, unless staging is too slow for it: then the load reads it from the store."""
        if not self._wanted:
            return
        with self._lock:
            if run != self._run:
                self._run, self._before, self._count = run, self._before + self._count, 0
            self._count = max(self._count, number + 1)
            self._held = [staging for staging in self._held if not staging.done()]
            if len(self._held) < _HELD:
                place = _FIRST + (self._before + number) * _BETWEEN
                self._held.append(self._pool.submit(partial(self._stage, place, part, rows)))

    def finish(self) -> str:
        """Stage what is held, no more after it; returns the id of the load that it was staged for."""
        self._pool.shutdown()
        return self._load_id

    def close(self) -> None:
        """Wait for what is under way; no load comes for it."""
        self._wanted = False
        self._pool.shutdown()

    def _stage(self, place: int, part: Part, rows: pa.Table) -> None:
        if not self._wanted:
            return
        job = self._job
        file = LoadFile(part.key, job.backend.objects.uri(part.key), part.etag, part.size, part.rows, part.footer)
        try:
            job.backend.warehouse.stage_ahead(empty_request(job, self._load_id), place, file, rows)
        except Exception as failure:  # noqa: BLE001 - the load will meet it again, or not
            self._wanted = False
            error = as_wmtui_error(failure)
            if not isinstance(error, TableError):  # What does not fit is said by the load.
                job.tell(f"{error.in_one_line}; extracting goes on, and the load stages the parts", Severity.WARNING)
