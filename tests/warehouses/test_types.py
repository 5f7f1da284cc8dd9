"""Pure rules: names, types, and the warehouse a profile names."""

import pyarrow as pa
import pytest

from tests.warehouses.conftest import NOWHERE
from wmtui.config import RedshiftConfig, Secret
from wmtui.errors import ConfigError, TableError
from wmtui.model import utc_now
from wmtui.warehouses import open_warehouse
from wmtui.warehouses.load.columns import Target, map_columns, match
from wmtui.warehouses.load.statements import Statements
from wmtui.warehouses.load.types import carried_type, loadable_type, wider
from wmtui.warehouses.load_request import Naming
from wmtui.warehouses.quoting import quote

CARRIED = [pa.bool_(), pa.int8(), pa.uint8(), pa.uint32(), pa.uint64(), pa.float32(), pa.decimal128(38, 10)]
CARRIED += [pa.large_string(), pa.large_binary(), pa.date32(), pa.timestamp("ns"), pa.timestamp("ms", "Asia/Shanghai")]


@pytest.mark.parametrize("kind", CARRIED, ids=str)
def test_every_carried_type_lands_in_the_column_made_for_it(kind: pa.DataType) -> None:
    carried = carried_type("c", kind)
    assert loadable_type(carried, Statements("main").column_type(pa.field("c", carried))) == carried


def test_the_exact_name_wins_and_an_ambiguous_one_matches_nothing() -> None:
    assert match("id", ["ID", "id"]) == "id"
    assert match("Id", ["ID"]) == "ID"
    assert match("Id", ["ID", "id"]) is None


def test_two_columns_of_a_file_never_land_in_one() -> None:
    schema = pa.schema([("id", pa.int64()), ("ID", pa.int64())])
    with pytest.raises(TableError, match="id and ID"):
        map_columns(schema, Target("t", {"id": "bigint"}, Statements("main")), Naming())


def test_quotes_inside_a_name_are_doubled() -> None:
    assert quote('a"b', "c") == '"a""b"."c"'


def test_redshift_cannot_load_from_a_folder() -> None:
    config = RedshiftConfig(host="dw", database="dev", user="etl", password=Secret("x"))
    with pytest.raises(ConfigError, match="Redshift cannot load from a folder"):
        open_warehouse(config, utc_now, NOWHERE)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (pa.int16(), pa.int64(), pa.int64()),
        (pa.int32(), pa.uint32(), pa.int64()),
        (pa.int64(), pa.decimal128(20, 0), pa.decimal128(20, 0)),
        (pa.decimal128(10, 2), pa.decimal128(8, 4), pa.decimal128(12, 4)),
        (pa.float32(), pa.float64(), pa.float64()),
        (pa.date32(), pa.timestamp("us"), pa.timestamp("us")),
        (pa.decimal128(38, 0), pa.decimal128(38, 10), None),
        (pa.string(), pa.int64(), None),
        (pa.bool_(), pa.int16(), None),
        (pa.float64(), pa.int64(), None),
        (pa.timestamp("us"), pa.timestamp("us", "UTC"), None),
    ],
    ids=str,
)
def test_of_two_types_the_wider_holds_both_or_there_is_none(
    one: pa.DataType, other: pa.DataType, both: pa.DataType | None
) -> None:
    assert wider(one, other) == wider(other, one) == both
