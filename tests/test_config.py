"""tables.yaml: what it means, and how every mistake in it is reported."""

import os
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest

from wmtui.config import (
    DuckDBConfig,
    MySQLConfig,
    PostgresConfig,
    RedshiftConfig,
    Secret,
    Settings,
    load,
)
from wmtui.errors import ConfigError, ExitCode
from wmtui.model import As, TableName

PASSWORD = "hunter2-very-secret"

STAGING = """\
version: 1
default_profile: staging
profiles:
  staging:
    store: ./lake
    source: {type: duckdb, path: shop.duckdb}
    warehouse: {type: duckdb, path: dw.duckdb}
"""
PROD = """\
  prod:
    protected: true
    store: s3://acme/pipeline
    s3: {region: eu-west-1}
    source: {type: mysql, host: db, user: wmtui, password: "${MYSQL_PASSWORD}"}
    warehouse: {type: redshift, host: dw, database: dev, user: etl, password: "${RS_PASSWORD}", iam_role: arn}
    timezone: Asia/Shanghai
"""
TABLES = """\
tables:
  shop.orders: {}
"""
ENV = {"MYSQL_PASSWORD": PASSWORD, "RS_PASSWORD": PASSWORD}


@dataclass(frozen=True)
class Configuration:
    """A tables.yaml under test."""

    path: Path

    def read(self, text: str, profile: str | None = None, env: Mapping[str, str] = ENV) -> Settings:
        self.path.write_text(text, encoding="utf-8")
        return load(self.path, profile, env)

    def error(self, text: str, profile: str | None = None, env: Mapping[str, str] = ENV) -> ConfigError:
        """The error that reading ends with, after a look that no part of it shows a secret."""
        with pytest.raises(ConfigError) as caught:
            self.read(text, profile, env)
        error = caught.value
        assert PASSWORD not in f"{error!r} {error} {error.what} {error.why} {error.next_step}"
        assert error.exit_code is ExitCode.CONFIG
        assert error.next_step
        return error


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    return Configuration(tmp_path / "tables.yaml")


def line_of(error: ConfigError) -> int:
    """The line number that an error names."""
    return int(error.what.split(", line ")[1].split(":")[0])


def test_the_example_in_the_repository_is_valid() -> None:
    example = Path(__file__).parents[1] / "tables.yaml"
    staging = load(example, env={})
    assert staging.profile_name == "staging"
    assert staging.store.root == str(example.parent / "lake")
    prod = load(example, "prod", ENV)
    assert prod.profile.protected
    assert prod.named
    assert prod.warnings == ()


def test_places_count_from_the_folder_of_the_file(configuration: Configuration, tmp_path: Path) -> None:
    certified = '  staging:\n    source: {type: mysql, host: h, user: u, password: "${P}", ca: certs/ca.pem}\n'
    profile = (
        "version: 1\nprofiles:\n" + certified + "    store: ./lake\n    warehouse: {type: duckdb, path: dw.duckdb}\n"
    )
    settings = configuration.read(profile + TABLES, env={"P": "x"})
    assert settings.store.root == str(tmp_path / "lake")
    assert settings.profile.warehouse == DuckDBConfig(path=str(tmp_path / "dw.duckdb"))
    assert isinstance(settings.profile.source, MySQLConfig)
    assert settings.profile.source.ca == str(tmp_path / "certs/ca.pem")


def test_a_table_takes_what_it_does_not_say_from_the_defaults(configuration: Configuration) -> None:
    settings = configuration.read(
        STAGING
        + "defaults: {cursor: changed_at, lag: 10s, null_cursor: error}\n"
        + "tables:\n  shop.orders:\n  shop.items: {lag: 1m, target: lines, primary_key: [order_id, line]}\n"
    )
    orders = settings.tables[TableName("shop", "orders")]
    items = settings.tables[TableName("shop", "items")]
    assert (orders.target, orders.cursor, orders.primary_key, orders.lag) == (
        "orders",
        "changed_at",
        ("id",),
        timedelta(seconds=10),
    )
    assert (items.target, items.primary_key, items.lag) == ("lines", ("order_id", "line"), timedelta(minutes=1))
    assert orders.null_cursor == items.null_cursor == "error"
    assert orders.lookback is None


def test_a_dot_inside_a_name_is_written_percent_encoded(configuration: Configuration) -> None:
    settings = configuration.read(STAGING + "tables:\n  shop.v1%2E2: {}\n")
    assert list(settings.tables) == [TableName("shop", "v1.2")]
    assert settings.tables[TableName("shop", "v1.2")].target == "v1%2E2"


@pytest.mark.parametrize(
    ("written", "meant"), [("5s", 5), ("10m", 600), ("2h", 7200), ("1d", 86400), ("0s", 0), ("7 m", 420)]
)
def test_a_duration_is_a_number_and_a_unit(configuration: Configuration, written: str, meant: int) -> None:
    settings = configuration.read(STAGING + f"tables:\n  shop.orders: {{lag: {written}}}\n")
    assert settings.tables[TableName("shop", "orders")].lag == timedelta(seconds=meant)


@pytest.mark.parametrize("written", ["2025-07-01 00:00:00", "'2025-07-01 00:00:00'", "2025-07-01", "-12m31s"])
def test_a_preset_is_kept_as_it_is_written_with_or_without_quotes(configuration: Configuration, written: str) -> None:
    settings = configuration.read(STAGING + TABLES + f"presets: {{quarter: {written}}}\n")
    assert settings.presets == {"quarter": written.strip("'")}


def test_variables_are_expanded_in_the_chosen_profile(configuration: Configuration) -> None:
    text = STAGING + PROD.replace("host: db", 'host: "${HOST}.example", port: "${PORT}"') + TABLES
    settings = configuration.read(text, "prod", {**ENV, "HOST": "db7", "PORT": "3307"})
    source = settings.profile.source
    assert isinstance(source, MySQLConfig)
    assert (source.host, source.port, source.password.reveal()) == ("db7.example", 3307, PASSWORD)
    assert settings.zone.key == "Asia/Shanghai"


def test_parts_of_a_file_can_be_shared_by_anchors(configuration: Configuration) -> None:
    text = STAGING.replace("source: {", "source: &db {").replace(
        "warehouse: {type: duckdb, path: dw.duckdb}", "warehouse: *db"
    )
    profile = configuration.read(text + TABLES).profile
    assert profile.source == profile.warehouse


def test_the_only_profile_needs_no_default(configuration: Configuration) -> None:
    assert configuration.read(STAGING.replace("default_profile: staging\n", "") + TABLES).profile_name == "staging"


def test_five_thousand_tables_keep_their_order_and_settings(configuration: Configuration) -> None:
    lines = "".join(f"  shop.t{n}: {{lag: {n}s}}\n" for n in range(5000))
    tables = configuration.read(STAGING + "tables:\n" + lines).tables
    assert [table.lag for table in tables.values()] == [timedelta(seconds=n) for n in range(5000)]


# Unknown keys


@pytest.mark.parametrize(
    ("text", "key", "nearest", "line"),
    [
        (STAGING + TABLES + "preset: {a: 1day}\n", "preset", "presets", 10),
        (STAGING + "    timezon: UTC\n" + TABLES, "timezon", "timezone", 8),
        (STAGING.replace("path: shop", "paht: shop") + TABLES, "paht", "path", 6),
        (STAGING + PROD.replace("region", "regoin") + TABLES, "regoin", "region", 11),
        (STAGING + PROD.replace("iam_role", "iam_rol") + TABLES, "iam_rol", "iam_role", 13),
        (STAGING + "tables:\n  shop.a: {}\n  shop.b: {curser: u}\n", "curser", "cursor", 10),
        (STAGING + "tables:\n  shop.b:\n    freshness:\n      wran: 1h\n", "wran", "warn", 11),
        (STAGING + "defaults:\n  primarykey: [id]\n" + TABLES, "primarykey", "primary_key", 9),
    ],
)
def test_an_unknown_key_is_told_with_its_line_and_the_nearest_name(
    configuration: Configuration, text: str, key: str, nearest: str, line: int
) -> None:
    error = configuration.error(text)
    assert f"unknown key {key!r}" in error.what
    assert str(configuration.path) in error.what
    assert line_of(error) == line
    assert error.next_step == f"did you mean {nearest!r}?"
    assert nearest in error.why


@pytest.mark.parametrize(
    ("right", "wrong"), [("timezone:", "timezome:"), ("user: wmtui", "usr: wmtui"), ("region:", "zone:")]
)
def test_an_unknown_key_in_a_profile_not_chosen_is_told_although_its_variables_are_unset(
    configuration: Configuration, right: str, wrong: str
) -> None:
    error = configuration.error(STAGING + PROD.replace(right, wrong) + TABLES, env={})
    assert f"unknown key {wrong.partition(':')[0]!r}" in error.what


def test_a_key_that_resembles_nothing_is_told_with_the_valid_ones(configuration: Configuration) -> None:
    error = configuration.error(STAGING + "    zzz: 1\n" + TABLES)
    assert error.next_step == "use one of them"
    assert "store, source, warehouse" in error.why


# Variables and secrets


def test_an_unset_variable_of_the_chosen_profile_is_told_by_name_and_line(configuration: Configuration) -> None:
    error = configuration.error(STAGING + PROD + TABLES, "prod", {"RS_PASSWORD": PASSWORD})
    assert "MYSQL_PASSWORD is not set" in error.what
    assert line_of(error) == 12
    assert "export MYSQL_PASSWORD" in error.next_step


def test_an_unset_variable_of_another_profile_does_not_matter(configuration: Configuration) -> None:
    assert configuration.read(STAGING + PROD + TABLES, env={}).profile_name == "staging"


def test_a_name_no_variable_can_have_is_never_taken_literally(configuration: Configuration) -> None:
    text = STAGING + PROD.replace("${MYSQL_PASSWORD}", "${MYSQL PASSWORD}") + TABLES
    assert "MYSQL PASSWORD is not set" in configuration.error(text, "prod").what


@pytest.mark.parametrize(
    "change",
    [
        ("host: db,", 'host: db, port: "${MYSQL_PASSWORD}",'),
        ("host: db,", 'host: db, tls: "${MYSQL_PASSWORD}",'),
        ("type: mysql", 'type: "${MYSQL_PASSWORD}"'),
        ("protected: true", 'protected: "${MYSQL_PASSWORD}"'),
        ("Asia/Shanghai", "${MYSQL_PASSWORD}"),
        ("{region: eu-west-1}", '"${MYSQL_PASSWORD}"'),
        ("s3://acme/pipeline", "ftp://${MYSQL_PASSWORD}"),
        ("s3://acme/pipeline", "~${MYSQL_PASSWORD}/lake"),
    ],
)
def test_an_expanded_value_in_the_wrong_place_is_not_shown(
    configuration: Configuration, change: tuple[str, str]
) -> None:
    error = configuration.error(STAGING + PROD.replace(*change) + TABLES, "prod")
    expected = 8 + next(n for n, row in enumerate(PROD.splitlines()) if change[0] in row)
    assert line_of(error) == expected


def test_secrets_are_not_shown_by_settings(configuration: Configuration) -> None:
    settings = configuration.read(STAGING + PROD + TABLES, "prod")
    assert PASSWORD not in f"{settings!r} {settings.profile} {settings.profile.source!r}"
    assert "***" in repr(settings.profile.source)


def test_a_secret_travels_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(Secret(PASSWORD))).reveal() == PASSWORD


def test_a_literal_password_is_a_warning_with_its_line(configuration: Configuration) -> None:
    settings = configuration.read(STAGING + PROD.replace("${RS_PASSWORD}", PASSWORD) + TABLES, "prod")
    assert isinstance(settings.profile.warehouse, RedshiftConfig)
    assert settings.profile.warehouse.password.reveal() == PASSWORD
    (warning,) = settings.warnings
    assert "line 13: the password is written out" in warning
    assert PASSWORD not in warning


def test_an_empty_password_and_one_from_the_environment_are_no_warning(configuration: Configuration) -> None:
    text = STAGING + PROD.replace("${RS_PASSWORD}", "") + TABLES
    assert configuration.read(text, "prod").warnings == ()


@pytest.mark.parametrize("password", ["12345678", "[a, b]", "yes", "null"])
def test_a_password_that_yaml_takes_for_something_else_is_refused(configuration: Configuration, password: str) -> None:
    error = configuration.error(STAGING + PROD.replace('"${RS_PASSWORD}"', password) + TABLES, "prod")
    assert line_of(error) == 13
    assert "quotes" in error.why
    assert password not in str(error)


@pytest.mark.parametrize(
    "written", [f"*{PASSWORD}", f"!{PASSWORD} x", f"!!int {PASSWORD}", f"'{PASSWORD}", f"%{PASSWORD}"]
)
def test_a_password_that_is_no_yaml_is_not_shown(configuration: Configuration, written: str) -> None:
    assert "not valid YAML" in configuration.error(STAGING + f"    colour: {written}\n" + TABLES).what


# Wrong values


@pytest.mark.parametrize(
    ("text", "where", "why", "line"),
    [
        (STAGING.replace("1", "2", 1) + TABLES, "version", "invalid enum value 2", 1),
        (STAGING.replace("version: 1\n", "") + TABLES, "the file", "`version` is missing", 1),
        (STAGING.replace("    store: ./lake\n", "") + TABLES, "profiles.staging", "`store` is missing", 4),
        (STAGING.replace("./lake", "[a]") + TABLES, "profiles.staging.store", "expected text, got a list", 5),
        (STAGING.replace(", path: shop.duckdb", "") + TABLES, "profiles.staging.source", "`path` is missing", 6),
        (STAGING + "    colour: [red]\n" + TABLES, "profiles.staging.colour", "text or nothing, got a list", 8),
        (STAGING + "tables: []\n", "tables", "expected a mapping, got a list", 8),
        (STAGING + "tables:\n", "tables", "expected a mapping, got nothing", 8),
        (STAGING + "tables:\n  5: {}\n", "tables", "expected text, got a whole number", 8),
        (STAGING + "tables:\n  shop.a: orders\n", "tables.shop.a", "expected a mapping, got text", 9),
        (STAGING + "tables:\n  shop.a: {primary_key: id}\n", "tables.shop.a.primary_key", "expected a list", 9),
        (STAGING + "tables:\n  shop.a: {null_cursor: skip}\n", "tables.shop.a.null_cursor", "'skip'", 9),
        (STAGING + "defaults: [lag]\n" + TABLES, "defaults", "expected a mapping, got a list", 8),
        (STAGING + TABLES + "presets: {a: 3}\n", "presets", "expected text, got a whole number", 10),
        (STAGING + TABLES + "presets: [a]\n", "presets", "expected a mapping, got a list", 10),
    ],
)
def test_a_wrong_value_is_told_with_place_reason_and_line(
    configuration: Configuration, text: str, where: str, why: str, line: int
) -> None:
    error = configuration.error(text)
    assert f"{where} is wrong" in error.what
    assert why in error.why
    assert line_of(error) == line


@pytest.mark.parametrize("written", ["5", "5 weeks", "-5s", "1.5h", "soon", "''", "99999999d", "[5s]", "true"])
@pytest.mark.parametrize("setting", ["lag", "lookback"])
def test_a_bad_duration_is_told_with_an_example(configuration: Configuration, setting: str, written: str) -> None:
    error = configuration.error(STAGING + f"tables:\n  shop.a: {{{setting}: {written}}}\n")
    assert f"tables.shop.a.{setting} is wrong" in error.what
    assert "is not a duration such as 5s, 10m, 2h or 1d" in error.why
    assert line_of(error) == 9


def test_a_bad_duration_in_the_defaults_is_told_there(configuration: Configuration) -> None:
    error = configuration.error(STAGING + "defaults:\n  freshness:\n    warn: 2 hours\n" + TABLES)
    assert "defaults.freshness.warn is wrong" in error.what
    assert line_of(error) == 10


@pytest.mark.parametrize("port", ["0", "65536", "many"])
def test_a_port_is_between_1_and_65535(configuration: Configuration, port: str) -> None:
    error = configuration.error(STAGING + PROD.replace("host: db", f"host: db, port: {port}") + TABLES, "prod")
    assert "profiles.prod.source.port is wrong" in error.what


@pytest.mark.parametrize(("part", "wrong"), [("source", "postgres"), ("warehouse", "mysql"), ("source", "[duckdb]")])
def test_a_type_that_cannot_serve_is_told_with_those_that_can(
    configuration: Configuration, part: str, wrong: str
) -> None:
    error = configuration.error(STAGING.replace(f"{part}: {{type: duckdb", f"{part}: {{type: {wrong}") + TABLES)
    assert "unknown type" in error.what
    assert wrong.strip("[]") in error.what
    assert "duckdb" in error.why
    assert line_of(error) == {"source": 6, "warehouse": 7}[part]


def test_a_source_without_a_type_is_told_the_types(configuration: Configuration) -> None:
    error = configuration.error(STAGING.replace("source: {type: duckdb, ", "source: {") + TABLES)
    assert "profiles.staging.source has no type" in error.what
    assert "mysql, duckdb" in error.why


def test_a_missing_key_beside_a_secret_is_told_by_its_name(configuration: Configuration) -> None:
    error = configuration.error(STAGING + PROD.replace("user: wmtui, ", "") + TABLES, "prod")
    assert error.why == "`user` is missing"
    assert line_of(error) == 12


@pytest.mark.parametrize("zone", ["Asia/Shanghia", "Asia", "../UTC", "''", "GMT+25"])
def test_a_bad_time_zone_is_told_with_its_line(configuration: Configuration, zone: str) -> None:
    error = configuration.error(STAGING + f"    timezone: {zone}\n" + TABLES)
    assert "unknown time zone" in error.what
    assert line_of(error) == 8


def test_a_misspelt_time_zone_is_told_the_nearest(configuration: Configuration) -> None:
    error = configuration.error(STAGING + "    timezone: Asia/Shanghia\n" + TABLES)
    assert error.next_step == "did you mean Asia/Shanghai?"


@pytest.mark.parametrize("store", ["ftp://x/y", "s3://", "https://bucket"])
def test_a_store_is_a_bucket_or_a_folder(configuration: Configuration, store: str) -> None:
    error = configuration.error(STAGING.replace("./lake", store) + TABLES)
    assert "store is not an address" in error.what
    assert line_of(error) == 5


def test_a_home_folder_of_nobody_is_refused(configuration: Configuration) -> None:
    error = configuration.error(STAGING.replace("dw.duckdb", "~no-such-user/dw.duckdb") + TABLES)
    assert "path is not a path" in error.what
    assert line_of(error) == 7


@pytest.mark.parametrize("name", ["last week", "1st", "''", "a.b"])
def test_a_bad_preset_name_is_told_with_its_line(configuration: Configuration, name: str) -> None:
    error = configuration.error(STAGING + TABLES + f"presets:\n  ok: 1day\n  {name}: 1day\n")
    assert "bad preset name" in error.what
    assert line_of(error) == 12


# Tables


@pytest.mark.parametrize("name", ["orders", "a.b.c", ".orders", "shop.", "shop.a%FF"])
def test_a_bad_table_name_is_told_how_to_write_one(configuration: Configuration, name: str) -> None:
    error = configuration.error(STAGING + f"tables:\n  shop.a: {{}}\n  {name}: {{}}\n")
    assert f"bad table name {name!r}" in error.what
    assert line_of(error) == 10
    assert "schema.table" in error.next_step


@pytest.mark.parametrize("target", ["orders", "ORDERS"])
def test_two_tables_with_one_target_are_refused(configuration: Configuration, target: str) -> None:
    error = configuration.error(STAGING + f"tables:\n  shop.orders: {{}}\n  eu.o: {{target: {target}}}\n")
    assert f"shop.orders and eu.o have the same target {target}" in error.what
    assert line_of(error) == 10


def test_two_schemas_with_a_table_of_one_name_need_targets(configuration: Configuration) -> None:
    error = configuration.error(STAGING + "tables:\n  eu.orders: {}\n  us.orders: {}\n")
    assert "give us.orders a target of its own" in error.next_step


def test_two_spellings_of_one_table_are_refused(configuration: Configuration) -> None:
    error = configuration.error(STAGING + "tables:\n  shop.a-b: {}\n  shop.a%2Db: {target: x}\n")
    assert "shop.a-b stands twice" in error.what
    assert line_of(error) == 10


def test_a_lookback_without_primary_key_is_refused(configuration: Configuration) -> None:
    error = configuration.error(STAGING + "tables:\n  shop.log:\n    primary_key: []\n    lookback: 60s\n")
    assert "shop.log has a lookback but no primary key" in error.what
    assert line_of(error) == 11


def test_a_default_lookback_is_refused_for_a_table_without_primary_key(configuration: Configuration) -> None:
    defaults = "defaults: {lookback: 60s}\n"
    assert line_of(configuration.error(STAGING + defaults + "tables:\n  shop.log: {primary_key: []}\n")) == 10
    settings = configuration.read(STAGING + defaults + "tables:\n  shop.log: {primary_key: [], lookback: 0s}\n")
    assert settings.tables[TableName("shop", "log")].primary_key == ()


def test_a_default_target_is_refused(configuration: Configuration) -> None:
    assert "a default target" in configuration.error(STAGING + "defaults: {target: t}\n" + TABLES).what


def test_no_tables_are_told(configuration: Configuration) -> None:
    error = configuration.error(STAGING + "tables: {}\n")
    assert "no tables" in error.what
    assert line_of(error) == 8


# Profiles


def test_a_protected_profile_is_never_a_default(configuration: Configuration) -> None:
    error = configuration.error(STAGING.replace("default_profile: staging", "default_profile: prod") + PROD + TABLES)
    assert "profile prod is protected" in error.what
    assert error.next_step == "name it: --profile prod"
    assert line_of(error) == 9


def test_a_protected_profile_is_no_default_by_being_the_only_one(configuration: Configuration) -> None:
    only = "version: 1\nprofiles:\n" + PROD + TABLES
    assert "profile prod is protected" in configuration.error(only).what
    assert configuration.read(only, "prod").named


def test_protection_by_a_variable_also_needs_the_name(configuration: Configuration) -> None:
    text = STAGING + '    protected: "${PROTECTED}"\n' + TABLES
    assert "is protected" in configuration.error(text, env={"PROTECTED": "true"}).what
    assert configuration.read(text, "staging", {"PROTECTED": "true"}).profile.protected


def test_an_unknown_profile_is_told_with_those_there_are(configuration: Configuration) -> None:
    error = configuration.error(STAGING + PROD + TABLES, "qa")
    assert "no profile 'qa'" in error.what
    assert "staging, prod" in error.why


def test_a_default_profile_that_does_not_exist_is_told_with_its_line(configuration: Configuration) -> None:
    error = configuration.error(STAGING.replace("default_profile: staging", "default_profile: qa") + TABLES)
    assert line_of(error) == 2


def test_several_profiles_without_a_default_ask_which(configuration: Configuration) -> None:
    error = configuration.error(STAGING.replace("default_profile: staging\n", "") + PROD + TABLES)
    assert "which profile?" in error.what
    assert "--profile" in error.next_step


def test_a_profile_not_chosen_is_not_judged_by_its_values(configuration: Configuration) -> None:
    assert configuration.read(STAGING + PROD.replace("Asia/Shanghai", "${ZONE}") + TABLES, env={}).zone.key == "UTC"


def test_a_postgres_warehouse_has_its_own_defaults(configuration: Configuration) -> None:
    warehouse = '{type: postgres, host: h, database: d, user: u, password: "${MYSQL_PASSWORD}"}'
    settings = configuration.read(STAGING.replace("{type: duckdb, path: dw.duckdb}", warehouse) + TABLES)
    assert isinstance(settings.profile.warehouse, PostgresConfig)
    assert (settings.profile.warehouse.port, settings.profile.warehouse.tls) == (5432, "verify")


# The file itself


def test_a_missing_file_names_its_path_and_the_demo(configuration: Configuration) -> None:
    with pytest.raises(ConfigError, match=r"no configuration at .*tables\.yaml") as caught:
        load(configuration.path, env={})
    assert "--demo" in caught.value.next_step


def test_a_folder_in_place_of_the_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read .*: Is a directory"):
        load(tmp_path, env={})


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_without_read_permission_is_told(configuration: Configuration) -> None:
    configuration.path.write_text(STAGING + TABLES)
    configuration.path.chmod(0)
    with pytest.raises(ConfigError, match=r"cannot read .*: Permission denied"):
        load(configuration.path, env={})


@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n", "null\n"])
def test_an_empty_file_is_told(configuration: Configuration, text: str) -> None:
    assert "is empty" in configuration.error(text).what


@pytest.mark.parametrize("text", ["- a\n- b\n", "orders\n", "5\n"])
def test_a_file_that_is_no_mapping_is_told(configuration: Configuration, text: str) -> None:
    error = configuration.error(text)
    assert "the file is wrong" in error.what
    assert "expected a mapping" in error.why


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (STAGING + "tables:\n\tshop.a: {}\n", 9),
        (STAGING + "    colour: [red\n" + TABLES, 9),
        (STAGING + "  store: x\n   y: z\n", 9),
        (STAGING + TABLES + "---\nversion: 1\n", 10),
        (STAGING + "tables: &t\n  shop.a: *t\n", 8),
        (STAGING + "tables:\n  ? [a]\n  : {}\n", 9),
    ],
)
def test_a_file_that_is_not_yaml_is_told_with_its_line(configuration: Configuration, text: str, line: int) -> None:
    error = configuration.error(text)
    assert "not valid YAML" in error.what
    assert line_of(error) == line


@pytest.mark.parametrize("content", [b"version: \xff\n", b"version: \x00\n", "version: 1\n".encode("utf-16")])
def test_a_file_that_is_no_text_is_told(configuration: Configuration, content: bytes) -> None:
    configuration.path.write_bytes(content)
    with pytest.raises(ConfigError, match="is not text"):
        load(configuration.path, env={})


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        (STAGING + "tables:\n  shop.a: {}\n  shop.b: {}\n  shop.a: {lag: 1s}\n", "shop.a", 11),
        (STAGING + TABLES + "version: 1\n", "version", 10),
        (STAGING.replace("    store: ./lake", "    store: ./lake\n    store: ./pond") + TABLES, "store", 6),
    ],
)
def test_a_key_that_stands_twice_is_refused(configuration: Configuration, text: str, key: str, line: int) -> None:
    error = configuration.error(text)
    assert f"{key!r} stands twice" in error.what
    assert line_of(error) == line


def test_a_target_may_be_in_a_schema_of_its_own_which_keeps_it_apart(configuration: Configuration) -> None:
    settings = configuration.read(
        STAGING + "tables:\n  eu.orders: {schema: eu}\n  us.orders: {schema: us, target: sold}\n  x.orders: {}\n"
    )
    assert [table.target for table in settings.tables.values()] == ["eu.orders", "us.sold", "orders"]


@pytest.mark.parametrize("schema", ["main", "MAIN"])
def test_the_warehouse_s_own_schema_said_again_is_the_same_place(configuration: Configuration, schema: str) -> None:
    error = configuration.error(STAGING + f"tables:\n  eu.orders: {{schema: {schema}}}\n  us.orders: {{}}\n")
    assert "eu.orders and us.orders have the same target orders" in error.what


def test_a_target_written_with_its_schema_is_told_the_setting(configuration: Configuration) -> None:
    error = configuration.error(STAGING + "tables:\n  shop.orders: {target: mart.orders}\n")
    assert "`schema: mart` and `target: orders`" in error.next_step


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ("{exclude: [update_at]}", "excludes update_at"),
        ("{exclude: [id]}", "excludes id"),
        ("{exclude: [region], distkey: region}", "excludes region"),
        ("{exclude: [region], sortkey: [region]}", "excludes region"),
        ("{rename: {a: x, b: X}}", "renames two columns to x"),
        ("{diststyle: all, distkey: id}", "a diststyle and a distkey"),
        ("{diststyle: key}", "diststyle is wrong"),
        ("{zero_dates: ignore}", "zero_dates is wrong"),
        ("{too_long: cut}", "too_long is wrong"),
        ("{as: {note: jsn}}", "a column cannot be kept as jsn"),
        ("{as: {note: {}}}", "a column cannot be kept as {}"),
        ("{as: text}", "as is wrong"),
        ("{as: {id: text}}", "keeps id as text"),
        ("{as: {update_at: local_timestamp}}", "keeps update_at as local_timestamp"),
    ],
)
def test_settings_of_columns_that_make_no_sense_are_refused_with_their_line(
    configuration: Configuration, settings: str, what: str
) -> None:
    error = configuration.error(STAGING + f"tables:\n  shop.orders: {settings}\n")
    assert what in error.what
    assert line_of(error) == 9


def test_a_form_that_is_misspelt_is_told_the_nearest(configuration: Configuration) -> None:
    for words in (
        "tables:\n  shop.orders: {as: {note: timestamp_utc}}\n",
        "defaults: {as: {note: timestamp_utc}}\ntables: {shop.orders: {}}\n",
    ):
        error = configuration.error(STAGING + words)
        assert "utc_timestamp, local_timestamp, boolean, text, json" in error.why
        assert "did you mean" in error.next_step


def test_a_cursor_may_be_kept_as_the_wall_clock_of_utc(configuration: Configuration) -> None:
    settings = configuration.read(STAGING + "tables:\n  shop.orders: {as: {update_at: utc_timestamp}}\n")
    assert settings.tables[TableName("shop", "orders")].as_types == {"update_at": As.UTC_TIMESTAMP}


@pytest.mark.parametrize(("written", "is_null"), [("null", True), ("'null'", True), ("~", True), ("error", False)])
def test_zero_dates_become_null_however_yaml_writes_it(
    configuration: Configuration, written: str, is_null: bool
) -> None:
    settings = configuration.read(STAGING + f"tables:\n  shop.orders: {{zero_dates: {written}}}\n")
    assert settings.tables[TableName("shop", "orders")].null_dates == is_null


@pytest.mark.parametrize(
    ("login", "what"),
    [
        ("user: etl", "how to log in to Redshift?"),
        ('user: etl, password: "${RS_PASSWORD}", iam_login: {cluster: c}', "how to log in to Redshift?"),
        ("user: etl, iam_login: {}", "iam_login is wrong"),
        ("user: etl, iam_login: {cluster: c, workgroup: w}", "iam_login is wrong"),
        ("iam_login: {cluster: c}", "warehouse.user is missing"),
        ('password: "${RS_PASSWORD}"', "warehouse.user is missing"),
    ],
)
def test_redshift_is_entered_in_one_way_and_a_whole_one(configuration: Configuration, login: str, what: str) -> None:
    prod = PROD.replace('user: etl, password: "${RS_PASSWORD}"', login)
    assert prod != PROD
    assert what in configuration.error(STAGING + prod + TABLES, "prod").what


@pytest.mark.parametrize(
    "setting", ["statement_timeout: 0s", "statement_timeout: 25d", "idle_timeout: 0s", "lock_timeout: 0s"]
)
def test_a_time_limit_of_the_warehouse_that_is_none_is_refused(configuration: Configuration, setting: str) -> None:
    warehouse = f"{{type: postgres, host: h, database: d, user: u, password: secret, {setting}}}"
    staging = STAGING.replace("{type: duckdb, path: dw.duckdb}", warehouse)
    assert f"warehouse.{setting.partition(':')[0]} is no limit" in configuration.error(staging + TABLES, "staging").what


def test_a_time_limit_of_the_source_that_is_none_is_refused(configuration: Configuration) -> None:
    assert "type: mysql, " in PROD
    prod = PROD.replace("type: mysql, ", "type: mysql, max_statement: 0s, ", 1)
    assert "source.max_statement is no limit" in configuration.error(STAGING + prod + TABLES, "prod").what


def mysql_source(settings: str) -> str:
    source = f'{{type: mysql, host: h, user: u, password: "${{P}}", {settings}}}'
    rest = "    store: ./lake\n    warehouse: {type: duckdb, path: dw.duckdb}\n"
    return f"version: 1\nprofiles:\n  staging:\n    source: {source}\n{rest}{TABLES}"


def test_a_client_certificate_and_its_key_count_from_the_folder_of_the_file(
    configuration: Configuration, tmp_path: Path
) -> None:
    source = configuration.read(mysql_source("cert: tls/etl.pem, key: tls/etl-key.pem"), env={"P": "x"}).profile.source
    assert isinstance(source, MySQLConfig)
    assert (source.cert, source.key) == (str(tmp_path / "tls/etl.pem"), str(tmp_path / "tls/etl-key.pem"))


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ("cert: etl.pem", "source.key is missing"),
        ("key: etl-key.pem", "source.cert is missing"),
        ("tls: disable, cert: etl.pem, key: etl-key.pem", "source.cert without TLS"),
    ],
)
def test_a_certificate_comes_with_its_key_and_tls(configuration: Configuration, settings: str, what: str) -> None:
    error = configuration.error(mysql_source(settings), env={"P": "x"})
    assert f"line 4: {what}" in error.what
    assert error.next_step


def test_a_secret_key_that_is_written_out_is_warned_of(configuration: Configuration) -> None:
    keys = "access_keys: {id: AKIA, secret: hunter3}"
    settings = configuration.read(STAGING + PROD.replace("iam_role: arn", keys) + TABLES, "prod")
    assert ["the password is written out" in warning for warning in settings.warnings] == [True]
    assert "hunter3" not in "".join(settings.warnings) + repr(settings)


@pytest.mark.parametrize("own", ["0", "''", "[]", "false"])
def test_settings_that_are_no_mapping_are_refused_also_where_they_count_as_false(
    configuration: Configuration, own: str
) -> None:
    error = configuration.error(STAGING + f"tables:\n  shop.items:\n  shop.orders: {own}\n")
    assert "tables.shop.orders is wrong" in error.what
    assert line_of(error) == 10


@pytest.mark.parametrize("place", ["defaults", "table"])
def test_a_warning_that_comes_after_the_error_is_refused(configuration: Configuration, place: str) -> None:
    limits = "freshness: {warn: 7h, error: 6h}"
    text = f"defaults: {{{limits}}}\n" + TABLES if place == "defaults" else f"tables:\n  shop.a: {{{limits}}}\n"
    error = configuration.error(STAGING + text)
    assert "warn" in str(error)
    assert "error" in str(error)


def test_all_days_are_listed_before_a_file_can_leave_the_session_window(configuration: Configuration) -> None:
    error = configuration.error(STAGING + "tables:\n  shop.a: {list_all_every: 11h}\n")
    assert "session window of 10 hours" in error.why
