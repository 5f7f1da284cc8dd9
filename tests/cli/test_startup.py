"""What a command imports: cron starts wmtui every few minutes."""

from tests.cli.conftest import Start

HEAVY = {"boto3", "botocore", "duckdb", "mysql", "psycopg", "pyarrow", "rich", "textual"}

SCRIPT = """
import sys
from wmtui.cli.main import main
code = main(sys.argv[1:])
print(code, *{name.partition(".")[0] for name in sys.modules}, file=sys.stderr)
"""


def test_reading_a_watermark_loads_no_heavy_library(start: Start) -> None:
    process = start("watermark", "get", "-t", "shop.orders", "--json", python=("-c", SCRIPT))
    _, err = process.communicate(timeout=60)

    code, *modules = err.split()
    assert code == "0"
    assert "wmtui" in modules
    assert HEAVY & set(modules) == set()
