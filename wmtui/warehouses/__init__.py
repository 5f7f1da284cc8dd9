"""Warehouses: where rows go, and the ledger of files loaded."""

from wmtui.config import DuckDBConfig, RedshiftConfig, WarehouseConfig
from wmtui.errors import ConfigError
from wmtui.model import Clock
from wmtui.warehouses.base import LedgerEntry, LoadFile, LoadRequest, LoadResult, Warehouse


def open_warehouse(config: WarehouseConfig, clock: Clock) -> Warehouse:
    """The warehouse a profile names; connects on first use. `clock` is the embedded one's; a server has its own.

    Raises ConfigError for Redshift.
    """
    if isinstance(config, RedshiftConfig):
        raise ConfigError(
            "Redshift is not supported by this version yet",
            f"the profile's warehouse {config.host} is of type redshift",
            "use a profile whose warehouse is of type postgres or duckdb",
        )
    if isinstance(config, DuckDBConfig):
        from wmtui.warehouses.duckdb import DuckDBWarehouse

        return DuckDBWarehouse(config, clock)
    from wmtui.warehouses.postgres import PostgresWarehouse

    return PostgresWarehouse(config)


__all__ = ["LedgerEntry", "LoadFile", "LoadRequest", "LoadResult", "Warehouse", "open_warehouse"]
