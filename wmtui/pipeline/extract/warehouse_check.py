"""Before the first row of a run is kept: may it be read, and does the target take it?"""

import threading

from wmtui.errors import WarehouseError
from wmtui.pipeline.context import Job
from wmtui.pipeline.load.table_ledger import read_ledger, tell_or_refuse
from wmtui.pipeline.target_check import check_target
from wmtui.sources import SourceTable
from wmtui.warehouses import TargetTable
from wmtui.watermarks.model import Watermark


class WarehouseCheck:
    """Asks the warehouse once, whoever calls first: at once for most tables, with the first row of news for one that
    had nothing to load at its last look, so that it costs nothing while there is none.
    """

    def __init__(self, job: Job, table: SourceTable, mark: Watermark) -> None:
        self._job = job
        self._table = table
        self._mark = mark
        self._lock = threading.Lock()
        self._target: TargetTable | None = None
        self._done = False
        if job.asked:
            self.target()

    def target(self) -> TargetTable | None:
        """What the rows are to land in, None where there is no such table.

        Raises TargetMisfit and WarehouseError as `check_target` does, TableError where the ledger says that the store
        is not what the warehouse was loaded from.
        """
        with self._lock:
            if not self._done:
                if not self._job.asked and self._job.options.load:
                    self._check_ledger()
                self._target = check_target(self._job, self._table)
                self._done = True
            return self._target

    def _check_ledger(self) -> None:
        job = self._job
        try:
            ledger = read_ledger(job, self._mark)
        except WarehouseError:
            return  # It stops loading, not extracting.
        tell_or_refuse(job, [finding for finding in ledger.findings if finding.harmful_read])
        if ledger.mine.token >= job.lease.token:  # The store was put back to an earlier moment.
            job.lease.raise_token(ledger.mine.token + 1)
