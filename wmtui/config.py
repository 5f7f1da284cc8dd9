"""tables.yaml: profiles, tables, defaults and presets, read strictly.

`${ENV}` is expanded in the chosen profile. An unknown key is an error with file, line and the nearest valid name.
"""

import difflib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
import yaml

from wmtui.errors import ConfigError
from wmtui.model import TableName

DEFAULT_PATH = "tables.yaml"


class Secret:
    """Text that prints as ***; only an adapter reveals it, at the call that needs it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

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
        """Raises ValueError for anything but a whole number and one of s, m, h, d."""
        match = re.fullmatch(r"(\d+)\s*([smhd])", text)
        if not match:
            raise ValueError(f"{text!r} is not a duration such as 5s, 10m, 2h or 1d")
        return cls(**{{"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}[match[2]]: int(match[1])})


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class S3Config(_Strict):
    """How to reach S3. Credentials come from boto3's chain; `role_arn` is assumed on top of it."""

    region: str | None = None
    endpoint_url: str | None = None
    profile: str | None = None
    role_arn: str | None = None


Tls = Literal["verify", "require", "disable"]


class MySQLConfig(_Strict, tag="mysql"):
    """A MySQL or MariaDB server."""

    host: str
    user: str
    password: Secret
    port: int = 3306
    tls: Tls = "verify"
    ca: str | None = None


class DuckDBConfig(_Strict, tag="duckdb"):
    """An embedded database file, as source or as warehouse."""

    path: str


class PostgresConfig(_Strict, tag="postgres"):
    """A PostgreSQL server as warehouse."""

    host: str
    database: str
    user: str
    password: Secret
    port: int = 5432
    schema: str = "public"
    tls: Tls = "verify"
    ca: str | None = None


class RedshiftConfig(_Strict, tag="redshift"):
    """An Amazon Redshift cluster as warehouse."""

    host: str
    database: str
    user: str
    password: Secret
    iam_role: str
    port: int = 5439
    schema: str = "public"
    tls: Tls = "verify"


SourceConfig = MySQLConfig | DuckDBConfig
WarehouseConfig = PostgresConfig | RedshiftConfig | DuckDBConfig


@dataclass(frozen=True)
class StoreConfig:
    """Where the store's root is: `s3://bucket[/prefix]` or an absolute folder."""

    root: str
    s3: S3Config = field(default_factory=S3Config)


class Profile(_Strict):
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


class Freshness(_Strict):
    """How old the last success may be."""

    warn: Duration = Duration(hours=2)
    error: Duration = Duration(hours=6)


class TableConfig(_Strict):
    """One table's settings, defaults filled in.

    lag: how far reading stays behind the source's clock. lookback: overlap read again below the last high; None picks
    60 s, or 10 minutes where the account may not see transactions; always 0 without a primary key.
    primary_key: empty for a table without one (append, at least once).
    """

    target: str = ""
    cursor: str = "update_at"
    primary_key: tuple[str, ...] = ("id",)
    lag: Duration = Duration(seconds=5)
    lookback: Duration | None = None
    freshness: Freshness = Freshness()
    null_cursor: Literal["report", "error"] = "report"
    manual_in_run: Literal["load", "sync"] = "load"


class _TopLevel(_Strict):
    version: Literal[1]
    profiles: dict[str, Any]
    tables: dict[str, Any]
    default_profile: str | None = None
    defaults: dict[str, Any] = {}
    presets: dict[str, str] = {}


@dataclass(frozen=True)
class Settings:
    """The configuration as one profile sees it.

    named: the profile was asked for by name, which a protected one requires. warnings: for stderr, once.
    """

    path: Path
    profile_name: str
    named: bool
    profile: Profile
    tables: Mapping[TableName, TableConfig]
    presets: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    @property
    def zone(self) -> ZoneInfo:
        """The profile's time zone."""
        return ZoneInfo(self.profile.timezone)

    @property
    def store(self) -> StoreConfig:
        """The store, a folder made absolute."""
        return StoreConfig(self.profile.store, self.profile.s3)


def load(path: str | Path = DEFAULT_PATH, profile: str | None = None, env: Mapping[str, str] = os.environ) -> Settings:
    """Read a configuration file for one profile (default: `default_profile`, else the only one).

    Raises ConfigError with file, line, reason and next step.
    """
    return _Reader(Path(path)).settings(profile, env)


_T = TypeVar("_T")
_NodePath = tuple[str | int, ...]


class _Reader:
    """One file: its text as YAML nodes, so that every error can name its line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ConfigError(
                f"no configuration at {path}",
                "the file does not exist",
                "give its path with --config, or start from the example in the README; `wmtui --demo` needs none",
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read {path}", str(error), "check the path and its permissions") from error
        loader_type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            loader = loader_type(text)
            self.root = loader.get_single_node()
            self._refuse_duplicates(self.root)
            self.raw = loader.construct_document(self.root) if self.root is not None else None
        except yaml.MarkedYAMLError as error:
            line = error.problem_mark.line + 1 if error.problem_mark else 1
            why = error.problem or str(error)
            raise ConfigError(f"{path}, line {line}: not valid YAML", why, "mend the line") from error
        except (yaml.YAMLError, ValueError) as error:
            raise ConfigError(f"{path}: not valid YAML", str(error), "mend the file") from error

    def settings(self, name: str | None, env: Mapping[str, str]) -> Settings:
        top = self._convert(self.raw, _TopLevel, ())
        chosen = self._choose(top, name)
        warnings: list[str] = []
        profiles = {p: self._profile(p, raw, env, p == chosen, warnings) for p, raw in top.profiles.items()}
        profile = profiles[chosen]
        assert profile is not None
        presets = self._presets(top.presets)
        return Settings(
            self.path, chosen, name is not None, profile, self._tables(top), presets, tuple(warnings)
        )

    def _choose(self, top: _TopLevel, name: str | None) -> str:
        chosen = name or top.default_profile or (next(iter(top.profiles)) if len(top.profiles) == 1 else None)
        if chosen is None:
            raise ConfigError(
                f"{self.path}: which profile?",
                f"there are {', '.join(top.profiles) or 'none'} and no default_profile",
                "name one with --profile, or set default_profile",
            )
        if chosen not in top.profiles:
            at = ("default_profile",) if name is None else ("profiles",)
            raise self._error(f"no profile {chosen!r}", f"profiles are {', '.join(top.profiles)}", at, "use one of them")
        if name is None and isinstance(raw := top.profiles[chosen], dict) and raw.get("protected") is True:
            raise self._error(
                f"profile {chosen} is protected",
                "a protected profile is never a default",
                ("profiles", chosen, "protected"),
                f"name it: --profile {chosen}",
            )
        return chosen

    def _profile(
        self, name: str, raw: Any, env: Mapping[str, str], chosen: bool, warnings: list[str]
    ) -> Profile | None:
        at: _NodePath = ("profiles", name)
        unset: list[tuple[str, _NodePath]] = []
        expanded = _expand(raw, env, at, unset)
        if chosen and unset:
            variable, where = unset[0]
            raise self._error(
                f"environment variable {variable} is not set",
                f"profile {name} needs it",
                where,
                f"export {variable}=… before starting wmtui",
            )
        try:
            profile = self._convert(expanded, Profile, at)
        except ConfigError:
            if chosen or not unset:
                raise
            return None
        if chosen:
            warnings.extend(self._literal_secrets(raw, at))
        try:
            ZoneInfo(profile.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            raise self._error(
                f"unknown time zone {profile.timezone!r}",
                "it is not an IANA name",
                (*at, "timezone"),
                "write it like Asia/Shanghai or UTC",
            ) from None
        return self._absolute(profile)

    def _absolute(self, profile: Profile) -> Profile:
        base = self.path.absolute().parent
        place = lambda text: str((base / Path(text).expanduser()).resolve())  # noqa: E731
        changes: dict[str, Any] = {}
        if not profile.store.startswith("s3://"):
            changes["store"] = place(profile.store)
        if isinstance(profile.source, DuckDBConfig):
            changes["source"] = DuckDBConfig(path=place(profile.source.path))
        if isinstance(profile.warehouse, DuckDBConfig):
            changes["warehouse"] = DuckDBConfig(path=place(profile.warehouse.path))
        return msgspec.structs.replace(profile, **changes)

    def _literal_secrets(self, raw: Any, at: _NodePath) -> Iterator[str]:
        for part in ("source", "warehouse"):
            value = raw.get(part, {}).get("password") if isinstance(raw.get(part), dict) else None
            if isinstance(value, str) and value and not _VARIABLE.search(value):
                line = self._line((*at, part, "password"))
                yield f"{self.path}, line {line}: the password is written out; use ${{ENV}} instead"

    def _tables(self, top: _TopLevel) -> dict[TableName, TableConfig]:
        self._convert(top.defaults, TableConfig, ("defaults",))
        if "target" in top.defaults:
            raise self._error("a default target", "two tables cannot share one", ("defaults", "target"), "remove it")
        tables: dict[TableName, TableConfig] = {}
        targets: dict[str, TableName] = {}
        for text, raw in top.tables.items():
            at: _NodePath = ("tables", text)
            try:
                name = TableName.parse(text)
            except (ValueError, UnicodeDecodeError) as error:
                next_step = "write schema.table; a dot inside a name is written %2E"
                raise self._error(f"bad table name {text!r}", str(error), at, next_step) from None
            own = {} if raw is None else raw
            merged = {**top.defaults, **own} if isinstance(own, dict) else own
            config = self._convert(merged, TableConfig, at)
            config = msgspec.structs.replace(config, target=config.target or name.name)
            self._check_table(text, config, at, targets, name)
            tables[name] = config
        if not tables:
            raise self._error("no tables", "there is nothing to do", ("tables",), "add one: schema.table: {}")
        return tables

    def _check_table(
        self, text: str, config: TableConfig, at: _NodePath, targets: dict[str, TableName], name: TableName
    ) -> None:
        if not config.primary_key and config.lookback:
            raise self._error(
                f"{text} has a lookback but no primary key",
                "reading an overlap again would double its rows",
                (*at, "lookback"),
                "remove lookback or name a primary_key",
            )
        first = targets.setdefault(config.target, name)
        if first != name:
            raise self._error(
                f"{first} and {name} have the same target {config.target}",
                "their rows would mix",
                (*at, "target"),
                f"give {text} a target of its own",
            )

    def _presets(self, presets: dict[str, str]) -> dict[str, str]:
        for name in presets:
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]*", name):
                raise self._error(
                    f"bad preset name {name!r}",
                    "a preset is a word",
                    ("presets", name),
                    "use letters, digits, - and _, beginning with a letter",
                )
        return presets

    def _convert(self, raw: Any, kind: type[_T], at: _NodePath) -> _T:
        try:
            return msgspec.convert(raw, kind, strict=False, dec_hook=_decode)
        except msgspec.ValidationError as error:
            match = re.fullmatch(r"(?s)(.*?)(?: - at `(?:key in )?\$(.*)`)?", str(error))
            assert match is not None
            inner = tuple(re.findall(r"[^.\[\]]+", match[2] or ""))
            if unknown := re.search(r"unknown field `(.*)`", match[1]):
                raise self._unknown_key(unknown[1], kind, (*at, *inner)) from None
            raise self._error(
                f"{'.'.join(map(str, (*at, *inner))) or 'the file'} is wrong", match[1], (*at, *inner), "see the README"
            ) from None

    def _unknown_key(self, key: str, kind: type[object], at: _NodePath) -> ConfigError:
        valid = _fields_at(kind, self._value(at), at)
        near = difflib.get_close_matches(key, valid, 1, 0.5)
        next_step = f"did you mean {near[0]!r}?" if near else "remove it"
        return self._error(f"unknown key {key!r}", f"valid here: {', '.join(valid)}", (*at, key), next_step)

    def _error(self, what: str, why: str, at: _NodePath, next_step: str) -> ConfigError:
        return ConfigError(f"{self.path}, line {self._line(at)}: {what}", why, next_step)

    def _line(self, at: _NodePath) -> int:
        node, line = self.root, 1
        for step in at:
            if not isinstance(node, yaml.MappingNode):
                break
            found = [(k, v) for k, v in node.value if k.value == str(step)]
            if not found:
                break
            line = found[0][0].start_mark.line + 1
            node = found[0][1]
        return line

    def _value(self, at: _NodePath) -> Any:
        value = self.raw
        for step in at:
            value = value.get(step) if isinstance(value, dict) else None
        return value

    def _refuse_duplicates(self, node: yaml.Node | None) -> None:
        if isinstance(node, yaml.MappingNode):
            seen: set[str] = set()
            for key, value in node.value:
                if key.value in seen:
                    raise ConfigError(
                        f"{self.path}, line {key.start_mark.line + 1}: {key.value!r} stands twice",
                        "only one of them could count",
                        "remove one",
                    )
                seen.add(key.value)
                self._refuse_duplicates(value)
        elif isinstance(node, yaml.SequenceNode):
            for item in node.value:
                self._refuse_duplicates(item)


def _fields_at(kind: type[object], value: Any, at: _NodePath) -> list[str]:
    """The valid keys of the mapping at a path: of the tagged type for source and warehouse, else of `kind`."""
    nested: dict[str, Callable[[], tuple[type[msgspec.Struct], ...]]] = {
        "source": lambda: (MySQLConfig, DuckDBConfig),
        "warehouse": lambda: (PostgresConfig, RedshiftConfig, DuckDBConfig),
        "s3": lambda: (S3Config,),
        "freshness": lambda: (Freshness,),
    }
    last = str(at[-1]) if at else ""
    kinds = nested[last]() if last in nested else (kind,)
    tag = value.get("type") if isinstance(value, dict) else None
    chosen = next((k for k in kinds if k.__struct_config__.tag == tag), kinds[0])  # type: ignore[attr-defined]
    names = [f.encode_name for f in msgspec.structs.fields(chosen)]
    return ["type", *names] if chosen.__struct_config__.tag else names  # type: ignore[attr-defined]


_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _expand(raw: Any, env: Mapping[str, str], at: _NodePath, unset: list[tuple[str, _NodePath]]) -> Any:
    """Replace every `${ENV}` in strings; names that are not set are collected and left as they are."""
    if isinstance(raw, dict):
        return {k: _expand(v, env, (*at, k), unset) for k, v in raw.items()}
    if isinstance(raw, list):
        return [_expand(v, env, (*at, i), unset) for i, v in enumerate(raw)]
    if not isinstance(raw, str):
        return raw

    def value(match: re.Match[str]) -> str:
        if match[1] not in env:
            unset.append((match[1], at))
            return match[0]
        return env[match[1]]

    return _VARIABLE.sub(value, raw)


def _decode(kind: type[Any], value: Any) -> Any:
    if kind is Secret:
        return Secret(str(value))
    if kind is Duration:
        return Duration.parse(str(value))
    raise NotImplementedError(kind)
