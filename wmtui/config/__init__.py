"""tables.yaml: profiles, tables, defaults and presets, read strictly.

`${ENV}` is expanded in the chosen profile. An unknown key is an error with file, line and the nearest valid name.
"""

from wmtui.config.reader import DEFAULT_PATH, load
from wmtui.config.schema import (
    AccessKeys,
    DuckDBConfig,
    Duration,
    Freshness,
    IamLogin,
    MySQLConfig,
    PostgresConfig,
    Profile,
    RedshiftConfig,
    S3Config,
    Secret,
    Settings,
    SourceConfig,
    StoreConfig,
    TableConfig,
    WarehouseConfig,
)

__all__ = [
    "DEFAULT_PATH",
    "AccessKeys",
    "DuckDBConfig",
    "Duration",
    "Freshness",
    "IamLogin",
    "MySQLConfig",
    "PostgresConfig",
    "Profile",
    "RedshiftConfig",
    "S3Config",
    "Secret",
    "Settings",
    "SourceConfig",
    "StoreConfig",
    "TableConfig",
    "WarehouseConfig",
    "load",
]
