"""Warehouses: where rows go, and the ledger of files loaded."""

import wmtui.mysql_library  # noqa: F401
from wmtui.config import DuckDBConfig, RedshiftConfig, WarehouseConfig
from wmtui.errors import ConfigError
from wmtui.model import Clock
from wmtui.warehouses.base import Manifests, Warehouse
from wmtui.warehouses.ledger_state import Feed, Fence, KnownLoads, LedgerEntry, TargetState
from wmtui.warehouses.load_request import LoadFile, LoadRequest, LoadResult, Naming, TargetLayout
from wmtui.warehouses.target import TargetColumn, TargetLimits, TargetTable


def open_warehouse(config: WarehouseConfig, clock: Clock, manifests: Manifests) -> Warehouse:
    """The warehouse a profile names; connects on first use. `clock` is the embedded one's; a server has its own.

    manifests: the profile's store, from which Redshift reads. Raises ConfigError where Redshift cannot.
    """
    if isinstance(config, RedshiftConfig):
        if not manifests.uri("").startswith("s3://"):
            raise ConfigError(
                "Redshift cannot load from a folder",
                f"the profile's store is {manifests.uri('')}",
                "use a store s3://…, or a warehouse of type postgres or duckdb",
            )
        from wmtui.warehouses.redshift.warehouse import RedshiftWarehouse

        return RedshiftWarehouse(config, manifests)
    if isinstance(config, DuckDBConfig):
        from wmtui.warehouses.duckdb.warehouse import DuckDBWarehouse

        return DuckDBWarehouse(config, clock)
    from wmtui.warehouses.postgres.warehouse import PostgresWarehouse

    return PostgresWarehouse(config)


__all__ = [
    "Feed",
    "Fence",
    "KnownLoads",
    "LedgerEntry",
    "LoadFile",
    "LoadRequest",
    "LoadResult",
    "Manifests",
    "Naming",
    "TargetColumn",
    "TargetLayout",
    "TargetLimits",
    "TargetState",
    "TargetTable",
    "Warehouse",
    "open_warehouse",
]
