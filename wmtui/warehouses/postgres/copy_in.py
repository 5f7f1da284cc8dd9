"""The rows of a file on their way into COPY: encoded in a thread of their own while others are sent."""

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa

from wmtui.warehouses.postgres.binary_rows import HEADER, TRAILER, to_binary


def encoded(batches: Iterable[pa.RecordBatch], declared: Sequence[str]) -> Iterator[bytes]:
    """What COPY reads, a block for each batch. declared: types of the columns that they go into.

    Raises what `to_binary` raises, and what reading the batches raises.
    """
    iterator = iter(batches)

    def following() -> bytes | None:
        batch = next(iterator, None)
        return None if batch is None else to_binary(batch, declared)

    with ThreadPoolExecutor(1, thread_name_prefix="encode") as pool:
        yield HEADER
        pending = pool.submit(following)
        while (block := pending.result()) is not None:
            pending = pool.submit(following)
            yield block
    yield TRAILER
