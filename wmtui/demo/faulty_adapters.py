"""Adapters that fail as servers do, for the failures of the sandbox's past."""

import time
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pyarrow as pa

from wmtui.config import DuckDBConfig
from wmtui.errors import WmtuiError
from wmtui.model import Clock
from wmtui.sources.duckdb.source import DuckDBConnection, DuckDBSource
from wmtui.warehouses.duckdb.warehouse import DuckDBWarehouse
from wmtui.warehouses.load_request import LoadRequest, LoadResult, OnStaged, OpenPart, Pause


class DroppedSource(DuckDBSource):
    """A source whose connections end every read with the same error."""

    def __init__(self, config: DuckDBConfig, zone: ZoneInfo, clock: Clock, error: WmtuiError) -> None:
        super().__init__(config, zone, clock)
        self._error = error

    def connect(self) -> DuckDBConnection:
        """A connection that breaks at the first read."""
        return _DroppedConnection(self._path, self._zone, self._clock, self._error)


class _DroppedConnection(DuckDBConnection):
    def __init__(self, path: str, zone: ZoneInfo, clock: Clock, error: WmtuiError) -> None:
        super().__init__(path, zone, clock)
        self._error = error

    def read(self, *_: object, **__: object) -> Iterator[pa.RecordBatch]:
        """Raises the error."""
        raise self._error


class RefusingWarehouse(DuckDBWarehouse):
    """A warehouse that answers every load with the same error."""

    def __init__(self, config: DuckDBConfig, clock: Clock, error: WmtuiError) -> None:
        super().__init__(config, clock)
        self._error = error

    def load(
        self,
        request: LoadRequest,  # noqa: ARG002
        open_part: OpenPart,  # noqa: ARG002
        on_staged: OnStaged,  # noqa: ARG002
        pause: Pause = time.sleep,  # noqa: ARG002
    ) -> LoadResult:
        """Raises the error."""
        raise self._error
