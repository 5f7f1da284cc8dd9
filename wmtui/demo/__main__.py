"""`make demo`: sync a sandbox of its own and show that source and warehouse hold the same rows."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from wmtui.demo import open_demo
from wmtui.demo.proof import Comparison, both_sides, compare
from wmtui.errors import ExitCode, WmtuiError, combine
from wmtui.model import Strategy
from wmtui.pipeline.events import Event, Stop, TableResult
from wmtui.service import Request, Service
from wmtui.watermarks.timestamps import to_wall


def main() -> ExitCode:
    """Make a sandbox, sync every table twice, compare, remove it; the exit code says whether all is as it should be."""
    with tempfile.TemporaryDirectory(prefix="wmtui-demo-") as place:
        try:
            settings, clock = open_demo(Path(place, "sandbox"), False, print)
            return prove(Service(settings, clock=clock))
        except WmtuiError as error:
            print(f"wmtui: {error.in_one_line}", file=sys.stderr)
            return error.exit_code
        except KeyboardInterrupt:
            return ExitCode.INTERRUPTED


def prove(service: Service) -> ExitCode:
    """Sync every table, manual ones too, and print what source and warehouse hold then."""
    first, again = _sync(service, "syncing every table"), _sync(service, "syncing again")
    moved_again = sum(result.rows_extracted + result.rows_loaded for result in again)
    shown = show(compare_all(service))
    codes = [ExitCode.TABLE_FAILED if moved_again else ExitCode.DONE, *(r.exit_code for r in (*first, *again))]
    return combine([shown, *codes])


def show(found: Sequence[Comparison]) -> ExitCode:
    """Print a line for each table and one for all."""
    for comparison in found:
        print(f"{comparison.table!s:46} {comparison}")
    wrong = [str(c.table) for c in found if not c.right]
    if wrong:
        print(f"wrong: {', '.join(wrong)}")
        return ExitCode.TABLE_FAILED
    source, arrived, left_out = (sum(getattr(c, name) for c in found) for name in ("source", "warehouse", "excluded"))
    print(f"{len(found)} tables: source {source} = warehouse {arrived} + {left_out} left out on purpose, 0 doubled")
    return ExitCode.DONE


def compare_all(service: Service) -> list[Comparison]:
    """Every table, in the order of tables.yaml."""
    settings = service.workspace.settings
    with both_sides(settings) as connection:
        found = []
        for table, config in settings.tables.items():
            floor = service.watermarks.get(table).load_floor
            found.append(compare(connection, table, config, floor and to_wall(floor, settings.zone)))
        return found


def _sync(service: Service, what: str) -> list[TableResult]:
    """Naming the tables extracts those with a manual watermark too."""
    tables = tuple(service.workspace.settings.tables)
    results = service.syncs.sync(Request(tables, strategy=Strategy.INTER_TABLE), emit=_unheard, stop=Stop())
    extracted, loaded = (sum(getattr(r, name) for r in results) for name in ("rows_extracted", "rows_loaded"))
    print(f"{what}: {extracted} rows extracted, {loaded} loaded")
    for result in results:
        if result.error:
            print(f"  {result.table}: {result.error}")
    return results


def _unheard(_: Event) -> None:
    """The results say enough."""


if __name__ == "__main__":
    sys.exit(main())
