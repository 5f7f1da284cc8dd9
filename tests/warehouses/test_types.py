"""Pure rules: names, types, and the warehouse a profile names."""

import pyarrow as pa
import pytest

from tests.warehouses.conftest import NOWHERE
from wmtui.config import RedshiftConfig, Secret
from wmtui.errors import ConfigError, TableError
from wmtui.model import utc_now
from wmtui.warehouses import open_warehouse
from wmtui.warehouses.landing import land, match
from wmtui.warehouses.sql import quote
from wmtui.warehouses.types import carried_type, landing_type, sql_type

CARRIED = [pa.bool_(), pa.int8(), pa.uint8(), pa.uint32(), pa.uint64(), pa.float32(), pa.decimal128(38, 10)]
CARRIED += [pa.large_string(), pa.large_binary(), pa.date32(), pa.timestamp("ns"), pa.timestamp("ms", "Asia/Shanghai")]


@pytest.mark.parametrize("kind", CARRIED, ids=str)
def test_every_carried_type_lands_in_the_column_made_for_it(kind: pa.DataType) -> None:
    carried = carried_type("c", kind)
    assert landing_type(carried, sql_type(carried)) == carried


def test_the_exact_name_wins_and_an_ambiguous_one_matches_nothing() -> None:
    assert match("id", ["ID", "id"]) == "id"
    assert match("Id", ["ID"]) == "ID"
    assert match("Id", ["ID", "id"]) is None


def test_two_columns_of_a_file_never_land_in_one() -> None:
    schema = pa.schema([("id", pa.int64()), ("ID", pa.int64())])
    with pytest.raises(TableError, match="id and ID"):
        land(schema, {"id": "bigint"})


def test_quotes_inside_a_name_are_doubled() -> None:
    assert quote('a"b', "c") == '"a""b"."c"'


def test_redshift_cannot_load_from_a_folder() -> None:
    config = RedshiftConfig(host="dw", database="dev", user="etl", password=Secret("x"))
    with pytest.raises(ConfigError, match="Redshift cannot load from a folder"):
        open_warehouse(config, utc_now, NOWHERE)
