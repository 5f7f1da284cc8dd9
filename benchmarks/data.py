"""Tables to measure with, built by the server itself: settlement-like, narrow and wide."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from tests.sql import series

_AT_ONCE = 50_000
_MOMENT = "NOW() - INTERVAL 30 DAY + INTERVAL n * 2000000 DIV {rows} SECOND"
"""The cursor: spread evenly over 23 days, with the order of the key."""

SETTLEMENT = (
    ("id BIGINT PRIMARY KEY", "n"),
    ("order_no CHAR(18) NOT NULL", "LPAD(n, 18, 'S')"),
    ("partner INT NOT NULL", "n % 977"),
    ("shop INT NOT NULL", "n * 31 % 40009"),
    ("state TINYINT NOT NULL", "n % 7"),
    ("currency CHAR(3) NOT NULL", "ELT(1 + n % 4, 'CNY', 'USD', 'EUR', 'THB')"),
    ("amount DECIMAL(14,2) NOT NULL", "n * 7919 % 100000007 / 100"),
    ("fee DECIMAL(12,4)", "n * 104729 % 99991 / 10000"),
    ("tax DECIMAL(12,2) NOT NULL", "n % 9973 / 100"),
    ("rate DOUBLE NOT NULL", "1 + n % 1009 / 13"),
    ("weight INT", "IF(n % 10 = 0, NULL, n % 30011)"),
    ("waybill VARCHAR(32) NOT NULL", "CONCAT('WB', LPAD(n * 13 % 9999999967, 12, '0'))"),
    ("station VARCHAR(40) NOT NULL", "CONCAT('station ', n % 3001)"),
    ("courier VARCHAR(40)", "CONCAT('courier ', n * 17 % 50021)"),
    ("address VARCHAR(120)", "CONCAT(n % 997, ' Long Street, district ', n % 61, ', 城市 ', n % 331)"),
    ("remark VARCHAR(200)", "IF(n % 5 = 0, NULL, CONCAT('settled by batch ', LEFT(SHA2(n, 256), 24)))"),
    ("delivered DATETIME", "IF(n % 8 = 0, NULL, NOW() - INTERVAL n % 5000000 SECOND)"),
    ("settled DATE NOT NULL", "CURDATE() - INTERVAL n % 60 DAY"),
    ("created DATETIME NOT NULL", "NOW() - INTERVAL 40 DAY + INTERVAL n % 800000 SECOND"),
    ("version INT NOT NULL", "n % 3"),
    ("update_at DATETIME NOT NULL", _MOMENT),
)
NARROW = (
    ("id BIGINT PRIMARY KEY", "n"),
    ("account INT NOT NULL", "n * 31 % 100003"),
    ("amount DECIMAL(14,2) NOT NULL", "n * 7919 % 100000007 / 100"),
    ("update_at DATETIME NOT NULL", _MOMENT),
)
WIDE = (
    ("id BIGINT PRIMARY KEY", "n"),
    *((f"name_{i} VARCHAR(60)", f"CONCAT('value {i} of ', n * {i + 2} % 100003)") for i in range(20)),
    *((f"text_{i} TEXT", f"REPEAT(SHA2(n + {i}, 256), 1 + (n + {i}) % 6)") for i in range(8)),
    *((f"number_{i} INT", f"n * {i + 3} % 1000003") for i in range(12)),
    *((f"sum_{i} DECIMAL(16,4)", f"n * {i + 7} % 1000003 / 7") for i in range(10)),
    *((f"at_{i} DATETIME", f"NOW() - INTERVAL n * {i + 1} % 5000000 SECOND") for i in range(8)),
    ("update_at DATETIME NOT NULL", _MOMENT),
)


@dataclass(frozen=True)
class Shape:
    """A kind of table. share: of the rows of a settlement table that it gets, for the same work."""

    columns: Sequence[tuple[str, str]]
    share: float = 1.0


class Writable(Protocol):
    """Where tables are built."""

    schema: str

    def write(self, sql: str, /) -> None:
        """Run a statement."""


SHAPES = {"settlement": Shape(SETTLEMENT), "narrow": Shape(NARROW), "wide": Shape(WIDE, 0.1)}


def build(database: Writable, name: str, shape: Shape, rows: int) -> None:
    """Create and fill a table, with the key and an index on the cursor."""
    names, values = zip(*shape.columns, strict=True)
    table = f"{database.schema}.{name}"
    database.write(f"CREATE TABLE {table} ({', '.join(names)}, KEY (update_at))")
    select = ", ".join(value.replace("{rows}", str(rows)) for value in values)
    for low in range(0, rows, _AT_ONCE):
        count = min(_AT_ONCE, rows - low)
        numbers = f"{series(-(-count // 1000), 'thousand')} CROSS JOIN {series(1000, 'one')}"
        database.write(
            f"INSERT INTO {table} SELECT {select} FROM (SELECT {low} + (thousand.seq - 1) * 1000 + one.seq AS n"
            f" FROM {numbers}) AS numbers WHERE n <= {low + count}"
        )
