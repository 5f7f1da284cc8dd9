"""How a sync of several tables spreads its work.

sequential: one table after the other. inter-table: tables in parallel. intra-table: one table after the other, each
one's window in primary-key ranges in parallel.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from wmtui.config import TableConfig
from wmtui.events import Emit, Stop, TableResult
from wmtui.model import Strategy, TableName
from wmtui.pipeline.context import Backend, SyncOptions
from wmtui.pipeline.sync import sync_table


def sync_tables(
    backend: Backend, tables: Mapping[TableName, tuple[TableConfig, SyncOptions]], *, emit: Emit, stop: Stop
) -> list[TableResult]:
    """Sync every table, each with its own options; results in the order given. `emit` is called from many threads."""
    jobs = list(tables.items())
    if not jobs:
        return []
    options = jobs[0][1][1]
    workers = options.workers if options.strategy is Strategy.INTER_TABLE else 1

    def sync(job: tuple[TableName, tuple[TableConfig, SyncOptions]]) -> TableResult:
        table, (config, chosen) = job
        return sync_table(backend, table, config, chosen, emit=emit, stop=stop)

    if workers == 1:
        return [sync(job) for job in jobs]
    with ThreadPoolExecutor(workers, thread_name_prefix="table") as pool:
        return list(pool.map(sync, jobs))
