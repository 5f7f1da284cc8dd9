"""What tables.yaml may say: the types of its parts, their keys and defaults."""

import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct, field

from wmtui.model import As, TableName
from wmtui.secrets import know


class Secret:
    """Text that prints as ***, in other texts too; only an adapter reveals it, at the call that needs it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text
        know(text)

    def reveal(self) -> str:
        """The secret itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__


class Duration(timedelta):
    """A length of time written as `5s`, `10m`, `2h` or `1d`."""

    @classmethod
    def parse(cls, text: str) -> "Duration":
        """Raises ValueError for anything but a whole number (of at most six digits) and one of s, m, h, d."""
        match = re.fullmatch(r"([0-9]{1,6})\s*([smhd])", text)
        if not match:
            raise ValueError(f"{text!r} is not a duration such as 5s, 10m, 2h or 1d")
        return cls(**{{"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[match[2]]: int(match[1])})


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class S3Config(_Strict, frozen=True):
    """How to reach S3. Credentials come from boto3's chain; `role_arn` is assumed on top of it."""

    region: str | None = None
    endpoint_url: str | None = None
    profile: str | None = None
    role_arn: str | None = None


Tls = Literal["verify", "require", "disable"]
Port = Annotated[int, msgspec.Meta(ge=1, le=65535)]


class MySQLConfig(_Strict, frozen=True, tag="mysql"):
    """A MySQL or MariaDB server.

    ca: file of the authorities that may have signed the server's certificate, None for the system's.
    cert, key: files of a client certificate and its private key, both or neither.
    open_transactions: which of them reading waits for: those that have written or hold a lock, or all that might write
    yet. Only `all` sees an application that takes the time first and writes much later; an open dump holds it too.
    max_statement: how long one statement that reads rows may take; a long read is cut into many. max_rows_per_second:
    for all tables of a command together, None: as many as come. max_replica_lag: a replica that is further behind, and
    further than when it was first looked at, is left alone until it has caught up.
    """

    host: str
    user: str
    password: Secret
    port: Port = 3306
    tls: Tls = "verify"
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    open_transactions: Literal["writers", "all"] = "writers"
    max_statement: Duration = Duration(seconds=10)
    max_rows_per_second: Annotated[int, msgspec.Meta(ge=1)] | None = None
    max_replica_lag: Duration = Duration(minutes=1)


class DuckDBConfig(_Strict, frozen=True, tag="duckdb"):
    """An embedded database file, as source or as warehouse."""

    path: str


class PostgresConfig(_Strict, frozen=True, tag="postgres"):
    """A PostgreSQL server as warehouse.

    statement_timeout: how long one statement may take. lock_timeout: how long a load waits until no other session has
    the target locked. idle_timeout: how long the ledger stays locked by a process that was paused; awake it never waits
    between two statements. conflict_timeout: how long a merge is tried again that conflicts with other transactions.
    """

    host: str
    database: str
    user: str
    password: Secret
    port: Port = 5432
    schema: str = "public"
    tls: Tls = "verify"
    ca: str | None = None
    statement_timeout: Duration = Duration(hours=2)
    lock_timeout: Duration = Duration(minutes=30)
    idle_timeout: Duration = Duration(minutes=1)
    conflict_timeout: Duration = Duration(minutes=10)


class AccessKeys(_Strict, frozen=True):
    """AWS keys that COPY is given in its text."""

    id: str
    secret: Secret


class IamLogin(_Strict, frozen=True):
    """A login that AWS gives: to a cluster as the warehouse's `user`, or to a Serverless workgroup as who asks.

    region, profile: of boto3's chain unless said. endpoint_url: of a VPC endpoint.
    """

    cluster: str | None = None
    workgroup: str | None = None
    region: str | None = None
    profile: str | None = None
    endpoint_url: str | None = None


class RedshiftConfig(_Strict, frozen=True, tag="redshift"):
    """An Amazon Redshift cluster or workgroup as warehouse: with a password, or with an iam_login.

    iam_role: with which Redshift reads the store: an ARN, or `default`. access_keys: keys instead, for a cluster that
    has no role. statement_timeout: how long one statement may take, waiting for locks included: Redshift ends no other
    wait. conflict_timeout: how long a merge is tried again that conflicts with other transactions.
    """

    host: str
    database: str
    user: str = ""
    password: Secret | None = None
    iam_login: IamLogin | None = None
    iam_role: str = "default"
    access_keys: AccessKeys | None = None
    port: Port = 5439
    schema: str = "public"
    tls: Tls = "verify"
    ca: str | None = None
    statement_timeout: Duration = Duration(hours=2)
    conflict_timeout: Duration = Duration(minutes=10)


SourceConfig = MySQLConfig | DuckDBConfig
WarehouseConfig = PostgresConfig | RedshiftConfig | DuckDBConfig


class StoreConfig(Struct, frozen=True):
    """Where the store's root is: `s3://bucket[/prefix]` or an absolute folder."""

    root: str
    s3: S3Config = field(default_factory=S3Config)


class Profile(_Strict, frozen=True):
    """One environment: a store, a source, a warehouse.

    protected: changed only when named by --profile and with a --reason. timezone: IANA name, the zone of MySQL
    DATETIME values and of timestamps people type.
    """

    store: str
    source: SourceConfig
    warehouse: WarehouseConfig
    s3: S3Config = msgspec.field(default_factory=S3Config)
    timezone: str = "UTC"
    protected: bool = False
    colour: str | None = None


class Freshness(_Strict, frozen=True):
    """How old the last success may be."""

    warn: Duration = Duration(hours=2)
    error: Duration = Duration(hours=6)


class TableConfig(_Strict, frozen=True):
    """One table's settings, defaults filled in.

    lag: how far reading stays behind the source's clock. lookback: overlap read again below the last high; None picks
    60 s, or 10 minutes where the account may not see transactions; always 0 without a primary key.
    primary_key: empty for a table without one (append, at least once).
    schema: of the target, None for the warehouse's own; once read, `target` is the whole name. exclude: columns that
    are never read. rename: columns of the source and what the target calls them.
    as_types: columns of the source that the target keeps in another form, `as` in the file.
    diststyle, distkey, sortkey: how Redshift stores a target that a load creates, by names of the source.
    zero_dates: what becomes of dates that no calendar has, null (as YAML reads it, None) or error. too_long: of text
    that the warehouse cannot hold. wide_decimals: of numbers of more digits than any warehouse has. target_may_shrink:
    rows of the target are removed on purpose, so that fewer than after the last load are no alarm.
    list_all_every: how often runs list the folders of all days and not only of their window; at most 10 hours, or a
    file in an old folder could leave the session window before any run saw it.
    """

    target: str = ""
    schema: str | None = None
    cursor: str = "update_at"
    primary_key: tuple[str, ...] = ("id",)
    lag: Duration = Duration(seconds=5)
    lookback: Duration | None = None
    freshness: Freshness = Freshness()
    null_cursor: Literal["report", "error"] = "report"
    future_cursor: Literal["report", "error"] = "report"
    manual_in_run: Literal["load", "sync"] = "load"
    exclude: tuple[str, ...] = ()
    rename: dict[str, str] = {}
    as_types: dict[str, As] = msgspec.field(default_factory=dict, name="as")
    diststyle: Literal["auto", "even", "all"] | None = None
    distkey: str | None = None
    sortkey: tuple[str, ...] = ()
    zero_dates: Literal["null", "error"] | None = "error"
    too_long: Literal["error", "truncate"] = "error"
    wide_decimals: Literal["text", "error"] = "text"
    target_may_shrink: bool = False
    list_all_every: Duration = Duration(hours=8)

    @property
    def null_dates(self) -> bool:
        """Whether a date that no calendar has is read as NULL."""
        return self.zero_dates != "error"


class TopLevel(_Strict, frozen=True):
    """The file as a whole; profiles and tables are read one by one."""

    version: Literal[1]
    profiles: dict[str, Any]
    tables: dict[str, Any]
    default_profile: str | None = None
    defaults: dict[str, Any] = {}
    presets: dict[str, str] = {}


class Settings(Struct, frozen=True):
    """The configuration as one profile sees it.

    named: the profile was asked for by name, which a protected one requires. warnings: for stderr, once.
    profiles: the names of all there are. is_default: the profile is the default one; all are where none is.
    """

    path: Path
    profile_name: str
    named: bool
    profile: Profile
    tables: Mapping[TableName, TableConfig]
    presets: Mapping[str, str]
    warnings: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    is_default: bool = True

    @property
    def zone(self) -> ZoneInfo:
        """The profile's time zone."""
        return ZoneInfo(self.profile.timezone)

    @property
    def store(self) -> StoreConfig:
        """The store, a folder made absolute."""
        return StoreConfig(self.profile.store, self.profile.s3)
