"""The sandbox's configuration and its source: every value follows from the row's number, so that each sandbox has
the same rows.
"""

from datetime import datetime, timedelta
from pathlib import Path

import duckdb
import yaml

from wmtui.config import DuckDBConfig, Settings
from wmtui.demo.dataset import TABLES, DemoTable
from wmtui.errors import SourceError
from wmtui.warehouses.quoting import quote

_UPDATED_EVERY = 23
"""One row in so many was changed after it was written."""


def _one_of(words: str, factor: int) -> str:
    listed = words.split()
    return f"{listed!r}[1 + i * {factor} % {len(listed)}]"


_COLUMNS = {
    "actor": ("VARCHAR", _one_of("app warehouse carrier customer support", 7)),
    "amount": ("DECIMAL(12,2)", "(100 + i * 7919 % 250000) / 100"),
    "bin": ("VARCHAR", "printf('%c-%02d-%03d', 65 + i % 6, i * 11 % 40, i * 29 % 300)"),
    "booked_on": ("DATE", "written::DATE"),
    "carrier": ("VARCHAR", _one_of("DHL UPS GLS DPD Hermes", 3)),
    "channel": ("VARCHAR", _one_of("web app store phone", 3)),
    "city": ("VARCHAR", _one_of("Hamburg Köln München 上海 深圳 Kraków Málaga Lyon", 5)),
    "claim_type": ("VARCHAR", _one_of("damaged lost late wrong_item", 3)),
    "created_at": ("TIMESTAMP_S", "written - to_minutes(i * 37 % 2880)"),
    "currency": ("VARCHAR", _one_of("EUR EUR EUR CNY PLN GBP", 5)),
    "customer_id": ("BIGINT", "500000 + i * 104729 % 20000"),
    "delivered_on": ("DATE", "CASE WHEN i % 9 > 0 THEN written::DATE END"),
    "discount": ("DECIMAL(5,2)", "i * 5 % 31"),
    "email": ("VARCHAR", "printf('customer%d@example.com', i)"),
    "language": ("VARCHAR", _one_of("de en fr pl zh es", 5)),
    "line_no": ("INTEGER", "1 + i % 4"),
    "merchant_id": ("BIGINT", "7000 + i * 7907 % 350"),
    "note": ("VARCHAR", "CASE i % 6 WHEN 0 THEN 'called back ☎' WHEN 3 THEN 'see ticket ' || i END"),
    "opened_on": ("DATE", "written::DATE"),
    "order_no": ("VARCHAR", "printf('SO%08d', 48000000 + i * 31 % 90000)"),
    "quantity": ("INTEGER", "1 + i * 13 % 9"),
    "sku": ("VARCHAR", "printf('SKU-%05d', i * 31 % 4000)"),
    "statement_no": ("VARCHAR", "printf('ST-%06d', i * 17 % 5000)"),
    "status": ("VARCHAR", _one_of("open paid packed sent done done done returned", 5)),
    "tracking_no": ("VARCHAR", "printf('JD%012d', i * 7919)"),
    "warehouse": ("VARCHAR", _one_of("HAM1 LEJ2 PVG4 KRK1", 3)),
    "weight_kg": ("DOUBLE", "(50 + i * 97 % 9000) / 1000"),
}


def make_configuration(path: Path) -> None:
    """Write the sandbox's tables.yaml, with the profile `demo`."""
    profile = {
        "store": "./lake",
        "source": {"type": "duckdb", "path": "shop.duckdb"},
        "warehouse": {"type": "duckdb", "path": "dw.duckdb"},
    }
    document = {
        "version": 1,
        "default_profile": "demo",
        "profiles": {"demo": profile},
        "defaults": {"freshness": {"warn": "2h", "error": "6h"}},
        "tables": {str(made.table): _settings(made) for made in TABLES},
        "presets": {"quarter": "2025-07-01 00:00:00"},
    }
    path.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")


def make_source(settings: Settings, moment: datetime) -> int:
    """Fill the source with what happened up to `moment`; returns the number of rows. Raises SourceError."""
    assert isinstance(settings.profile.source, DuckDBConfig)
    path = settings.profile.source.path
    try:
        with duckdb.connect(path) as connection:
            for schema in dict.fromkeys(made.table.schema for made in TABLES):
                connection.execute(f"CREATE SCHEMA {quote(schema)}")
            for made in TABLES:
                connection.execute(_create(made))
                connection.execute(_insert(made, moment))
    except duckdb.Error as error:
        raise SourceError(f"cannot make {path}", str(error), "check free space, then start the demo again") from error
    return sum(made.rows for made in TABLES)


def _settings(made: DemoTable) -> dict[str, object]:
    """What differs from the defaults."""
    own: dict[str, object] = {}
    if made.cursor != "update_at":
        own["cursor"] = made.cursor
    if made.primary_key != "id":
        own["primary_key"] = [made.primary_key] if made.primary_key else []
    return own


def _create(made: DemoTable) -> str:
    key = f"{made.primary_key} BIGINT PRIMARY KEY" if made.primary_key else "event_id BIGINT"
    columns = [key, *(f"{name} {_COLUMNS[name][0]}" for name in made.columns), f"{made.cursor} TIMESTAMP_S NOT NULL"]
    return f"CREATE TABLE {quote(made.table.schema, made.table.name)} ({', '.join(columns)})"


def _insert(made: DemoTable, moment: datetime) -> str:
    """Rows written at an even pace; some were changed at a later time, as updates do."""
    first = moment - timedelta(days=made.days)
    span = int(timedelta(days=made.days).total_seconds()) - made.quiet
    values = ["i", *(_COLUMNS[name][1] for name in made.columns), "updated"]
    return f"""
        WITH paced AS (SELECT i, i * {span} // {made.rows} AS second FROM range(1, {made.rows} + 1) AS numbers(i)),
        changed AS (SELECT i, second, second + CASE i % {_UPDATED_EVERY} WHEN 0 THEN ({span} - second) * (i % 7) // 7
            ELSE 0 END AS later FROM paced),
        timed AS (SELECT i, TIMESTAMP '{first:%Y-%m-%d %H:%M:%S}' + to_seconds(second) AS written,
            TIMESTAMP '{first:%Y-%m-%d %H:%M:%S}' + to_seconds(later) AS updated FROM changed)
        INSERT INTO {quote(made.table.schema, made.table.name)} SELECT {", ".join(values)} FROM timed
    """  # noqa: S608
