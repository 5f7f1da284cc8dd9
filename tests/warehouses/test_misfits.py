"""What does not fit a target is found before a row is read, by the rules by which a load refuses it."""

import itertools
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from msgspec.structs import replace

from tests.warehouses.bench import TABLE, TARGET, Bench, at, rows
from wmtui.column_types import INSTANT, TIMESTAMP
from wmtui.errors import TableError, TargetMisfit
from wmtui.model import As
from wmtui.warehouses import Naming, TargetColumn, TargetLayout, TargetLimits, TargetTable
from wmtui.warehouses.load.columns import Target, map_columns
from wmtui.warehouses.load.conversions import convert, converted
from wmtui.warehouses.load.misfits import PlannedLoad, find_misfits, raise_misfits
from wmtui.warehouses.load.statements import Statements
from wmtui.warehouses.load.types import carried_field
from wmtui.warehouses.redshift.statements import RedshiftStatements

POSTGRES = TargetLimits(name_bytes=63, system_names=frozenset({"xmin", "ctid"}))
ID, UPDATED = pa.field("id", pa.int64(), nullable=False), pa.field("update_at", TIMESTAMP)
SOURCE = pa.schema([ID, UPDATED, pa.field("note", pa.string())])
CARRIED = {
    pa.bool_(): True,
    pa.int16(): 1,
    pa.int32(): 1,
    pa.int64(): 1,
    pa.decimal128(20, 0): Decimal(1),
    pa.decimal128(10, 2): Decimal("1.00"),
    pa.float64(): 1.0,
    pa.string(): "1",
    pa.binary(): b"1",
    pa.date32(): at(1).date(),
    TIMESTAMP: at(1),
    INSTANT: at(1),
}
"""Every type in which a source's column travels, with a value that each column it may land in takes."""
DECLARED = (
    "boolean",
    "smallint",
    "integer",
    "bigint",
    "numeric(10,2)",
    "numeric(38,0)",
    "numeric",
    "real",
    "double precision",
    "text",
    "character varying(30)",
    "character(30)",
    "bytea",
    "date",
    "timestamp without time zone",
    "timestamp with time zone",
    "time without time zone",
    "json",
    "jsonb",
    "uuid",
    "inet",
    "interval",
    "integer[]",
)


def planned(schema: pa.Schema = SOURCE, **changes: Any) -> PlannedLoad:
    """A table that is to be loaded into PostgreSQL."""
    made = PlannedLoad(
        TABLE, schema, TARGET, "update_at", ("id",), Naming(), TargetLayout(), POSTGRES, Statements("public")
    )
    return replace(made, **changes)


def target(columns: Mapping[str, str | TargetColumn] | None = None, **changes: Any) -> TargetTable:
    """A target with these columns, by default those of SOURCE."""
    declared = columns or {"id": "bigint", "update_at": "timestamp without time zone", "note": "text"}
    made = [kind if isinstance(kind, TargetColumn) else TargetColumn(name, kind) for name, kind in declared.items()]
    return TargetTable(tuple(made), **changes)


def told(wish: PlannedLoad, found: TargetTable | None) -> list[str]:
    """Every misfit, in words."""
    return [str(misfit) for misfit in find_misfits(wish, found)]


def with_column(field: pa.Field) -> pa.Schema:
    return pa.schema([ID, UPDATED, field])


class TestAgreement:
    """A load takes exactly what was let through before."""

    @pytest.mark.parametrize("how", [None, *As], ids=str)
    def test_of_all_pairs_of_types(self, how: As | None) -> None:
        naming = Naming(as_types={"n": how} if how else {})
        for kind, declared in itertools.product(CARRIED, DECLARED):
            schema = with_column(pa.field("n", kind))
            found = target({"id": "bigint", "update_at": "timestamp", "n": declared})
            misfits = find_misfits(planned(schema, naming=naming), found)
            try:
                map_columns(schema, Target(TARGET, found.types, Statements("public")), naming)
            except TableError:
                assert [misfit.column for misfit in misfits] == ["n"], (kind, declared)
            else:
                assert misfits == (), (kind, declared)

    @pytest.mark.parametrize("how", [None, *As], ids=str)
    def test_and_the_database_takes_each_pair_that_is_let_through(self, pg_bench: Bench, how: As | None) -> None:
        fields, columns, values = [], {}, []
        for number, (kind, declared) in enumerate(itertools.product(CARRIED, DECLARED)):
            field, name = pa.field(f"n{number}", kind), f"n{number}"
            naming = Naming(as_types={name: how} if how else {})
            found = target({"id": "bigint", "update_at": "timestamp", name: declared})
            if not find_misfits(planned(with_column(field), naming=naming), found):
                fields.append(field)
                columns[name] = declared
                values.append(CARRIED[kind])
        declared_columns = ", ".join(f"{name} {kind}" for name, kind in columns.items())
        pg_bench.execute(f"CREATE TABLE {TARGET} (id bigint, update_at timestamp, {declared_columns})")
        naming = Naming(as_types=dict.fromkeys(columns, how) if how else {})
        pg_bench.load(rows((1, at(1), *values), schema=pa.schema([ID, UPDATED, *fields])), naming=naming)
        assert fields
        assert None not in pg_bench.target()[0]


def test_all_misfits_are_named_at_once_each_with_its_way_out() -> None:
    schema = pa.schema(
        [
            ID,
            pa.field("update_at", INSTANT),
            pa.field("amount", pa.decimal128(10, 2), metadata={b"source_type": b"decimal(10,2)"}),
            pa.field("paid", pa.int16()),
            pa.field("year", pa.int16()),
            pa.field("doc", pa.string()),
            pa.field("xmin", pa.int64()),
        ]
    )
    found = target(
        {
            "id": "bigint",
            "update_at": "timestamp without time zone",
            "amount": "smallint",
            "paid": "boolean",
            "year": "text",
            "doc": "jsonb",
            "region": TargetColumn("region", "text", nullable=False),
        }
    )
    with pytest.raises(TargetMisfit) as failure:
        raise_misfits(planned(schema), find_misfits(planned(schema), found))
    lines = failure.value.why.split("; and ")
    assert [line.split()[1] for line in lines] == ["update_at", "amount", "paid", "year", "doc", "xmin", "region"]
    assert "local_timestamp" not in lines[0]  # Of a cursor: its values would compare otherwise.
    for line, way_out in zip(
        lines,
        (
            "; say `as: {update_at: utc_timestamp}`",
            "decimal(10,2) in the source, smallint in the target: the warehouse would round, cut or convert its values;"
            ' run ALTER TABLE "public"."orders" ALTER COLUMN "amount" TYPE numeric(10,2)',
            "say `as: {paid: boolean}`",
            "say `as: {year: text}`",
            'run ALTER TABLE "public"."orders" ALTER COLUMN "doc" TYPE text, or say `as: {doc: json}`',
            "`rename: {xmin: …}`",
            'run ALTER TABLE "public"."orders" ALTER COLUMN "region" DROP NOT NULL',
        ),
        strict=True,
    ):
        assert way_out in line


@pytest.mark.parametrize(("name", "fits"), [("é" * 31, True), ("é" * 32, False)])
def test_a_name_is_measured_in_bytes(name: str, fits: bool) -> None:
    lines = told(planned(with_column(pa.field(name, pa.int64()))), None)
    assert lines == [] if fits else ["64 bytes" in lines[0] and "rename" in lines[0]] == [True]
    lines = told(planned(target=name), None)
    assert lines == [] if fits else ["`target`" in lines[0]] == [True]


def test_a_long_column_that_is_renamed_fits() -> None:
    schema = with_column(pa.field("n" * 64, pa.int64()))
    assert told(planned(schema, naming=Naming(rename={"n" * 64: "n"})), None) == []


@pytest.mark.parametrize("name", ["wmtui:file", "file", "c0", "rank"])
def test_names_that_staging_uses_or_used_are_no_matter(bench: Bench, name: str) -> None:
    bench.load(rows((1, at(1), 7), schema=with_column(pa.field(name, pa.int64()))))
    assert bench.query(f'SELECT "{name}" FROM {TARGET}') == [(7,)]


def test_redshift_has_no_column_oid_in_any_case() -> None:
    limits = TargetLimits(name_bytes=127, system_names=frozenset({"oid"}), ignores_case=True)
    wish = planned(with_column(pa.field("OID", pa.int64())), limits=limits, statements=RedshiftStatements("public"))
    (line,) = told(wish, None)
    assert "rename: {OID: …}" in line


@pytest.mark.parametrize("limits", [POSTGRES, replace(POSTGRES, ignores_case=True)])
def test_two_columns_that_would_be_one_are_named(limits: TargetLimits) -> None:
    schema = pa.schema([*SOURCE, pa.field("NOTE", pa.string())])
    lines = told(planned(schema, limits=limits), None)
    assert bool(lines) == limits.ignores_case
    both = told(planned(limits=limits, naming=Naming(rename={"note": "id"})), target())
    assert "column note and column id are both the target's id" in both[0]


@pytest.mark.parametrize("kind", ["view", "materialized view", "sequence"])
def test_a_target_that_is_no_table_is_refused(kind: str) -> None:
    (line,) = told(planned(), target(kind=kind))
    assert f"is no table but a {kind}" in line
    assert "`target`" in line


def test_row_level_security_is_refused_naming_the_owner() -> None:
    (line,) = told(planned(), target(row_security=True, owner="dba"))
    assert "load as the owner, dba" in line


def test_the_owner_must_add_what_is_lacking_and_is_not_asked_where_nothing_is() -> None:
    found = target({"id": "bigint", "update_at": "timestamp"}, owned=False, owner="dba")
    (line,) = told(planned(), found)
    assert 'let dba run ALTER TABLE "public"."orders" ADD COLUMN "note" text' in line
    assert told(planned(), target(owned=False)) == []


def test_a_generated_column_of_the_target_takes_no_values() -> None:
    columns = {"id": "bigint", "update_at": "timestamp", "note": TargetColumn("note", "text", generated=True)}
    (line,) = told(planned(), target(columns))
    assert "exclude it" in line


@pytest.mark.parametrize(
    "column",
    [
        TargetColumn("extra", "text"),
        TargetColumn("extra", "text", nullable=False, has_default=True),
        TargetColumn("extra", "text", nullable=False, generated=True),
    ],
)
def test_a_column_of_the_target_alone_that_can_stay_empty_fits(column: TargetColumn) -> None:
    assert told(planned(), target({**target().types, "extra": column})) == []


def test_a_renamed_column_and_a_lost_key_are_named_together() -> None:
    found = target({"number": "bigint", "update_at": "timestamp", "note": "text"})
    lines = told(planned(naming=Naming(rename={"note": "remark"})), found)
    assert "the target has no column id" in lines[0]
    assert 'RENAME COLUMN "note" TO "remark"' in lines[1]


@pytest.mark.parametrize(
    ("layout", "naming"),
    [
        (TargetLayout(distkey="doc"), Naming(as_types={"doc": As.JSON})),
        (TargetLayout(sortkey=("id", "data")), Naming()),
    ],
)
def test_a_new_target_is_not_stored_by_what_redshift_cannot_store_by(layout: TargetLayout, naming: Naming) -> None:
    schema = pa.schema([ID, UPDATED, pa.field("doc", pa.string()), carried_field("data", pa.binary(), 16)])
    wish = planned(schema, layout=layout, naming=naming, statements=RedshiftStatements("public"))
    (line,) = told(wish, None)
    assert "Redshift has no such key" in line
    assert told(replace(wish, layout=TargetLayout(distkey="id")), None) == []


def test_a_layout_by_a_column_that_is_not_there_is_named() -> None:
    (line,) = told(planned(layout=TargetLayout(distkey="nope")), None)
    assert "correct distkey" in line


class TestForms:
    """What `as:` makes of values."""

    @pytest.mark.parametrize(
        ("kind", "value", "text"),
        [
            (pa.int16(), -7, "-7"),
            (pa.decimal128(10, 9), Decimal("0.000000001"), "0.000000001"),
            (pa.decimal128(10, 2), Decimal("-1.5"), "-1.50"),
            (pa.bool_(), True, "1"),
            (pa.date32(), at(1).date(), "2025-08-09"),
            (TIMESTAMP, at(1), "2025-08-09 20:01:00.000000"),
            (INSTANT, at(1), "2025-08-09 20:01:00.000000Z"),
        ],
        ids=str,
    )
    def test_text_has_every_digit_and_fits_the_column_made_for_it(
        self, kind: pa.DataType, value: Any, text: str
    ) -> None:
        assert convert(pa.array([value, None], kind), As.TEXT, "UTC").to_pylist() == [text, None]
        form = converted(pa.field("c", kind), As.TEXT)
        assert form is not None
        assert len(text) <= int(RedshiftStatements("s").column_type(form).removeprefix("varchar(").removesuffix(")"))

    def test_an_instant_is_a_wall_clock_of_utc_or_of_the_zone(self) -> None:
        instants = pa.array([at(1), None], INSTANT)
        assert convert(instants, As.UTC_TIMESTAMP, "Asia/Shanghai").to_pylist() == [at(1), None]
        assert convert(instants, As.LOCAL_TIMESTAMP, "Asia/Shanghai").to_pylist() == [
            at(1).replace(day=10, hour=4),
            None,
        ]

    @pytest.mark.parametrize("value", [2, -1])
    def test_a_number_that_is_no_truth_value_is_refused(self, value: int) -> None:
        assert convert(pa.array([1, 0, None]), As.BOOLEAN, "UTC").to_pylist() == [True, False, None]
        with pytest.raises(ValueError, match=f"{value} is neither 0 nor 1"):
            convert(pa.array([1, value]), As.BOOLEAN, "UTC")

    @pytest.mark.parametrize("text", ["", "nope", '{"a": NaN}', '"\\u0000"', '"\\ud800"', "1 2"])
    def test_text_that_is_no_json_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="not JSON"):
            convert(pa.array(["{}", text]), As.JSON, "UTC")


class TestDescription:
    """What a warehouse says of a target."""

    def test_of_no_table_there_is_none(self, bench: Bench) -> None:
        assert bench.warehouse.describe(TARGET) is None

    def test_of_a_target_that_a_load_made(self, bench: Bench) -> None:
        bench.load(rows((1, at(1), "a")))
        found = bench.warehouse.describe(TARGET)
        assert found is not None
        assert [(c.name, c.nullable, c.has_default, c.generated) for c in found.columns] == [
            ("id", False, False, False),
            ("update_at", True, False, False),
            ("note", True, False, False),
        ]
        key = () if bench.kind == "redshift" else ("id",)  # The stand-in makes none: Redshift enforces none.
        assert (found.primary_key, found.kind, found.owned, found.row_security) == (key, "table", True, False)
        assert told(planned(limits=bench.warehouse.limits, statements=bench.warehouse.statements), found) == []

    def test_of_defaults_generated_columns_and_keys(self, bench: Bench) -> None:
        if bench.kind == "redshift":
            bench.execute(f"CREATE TABLE {TARGET} (b int, a int DEFAULT 3, c int NOT NULL, PRIMARY KEY (c, b))")
        else:
            stored = "STORED" if bench.kind == "postgres" else "VIRTUAL"
            bench.execute(
                f"CREATE TABLE {TARGET} (b int, a int DEFAULT 3, c int NOT NULL,"
                f" g int GENERATED ALWAYS AS (a + 1) {stored}, PRIMARY KEY (c, b))"
            )
        found = bench.warehouse.describe(TARGET)
        assert found is not None
        assert found.primary_key == ("c", "b")
        assert found.column("a").has_default
        assert not found.column("c").nullable
        assert [c.name for c in found.columns if c.generated] == ([] if bench.kind == "redshift" else ["g"])

    def test_of_a_view(self, bench: Bench) -> None:
        bench.execute("CREATE TABLE base (id bigint)")
        bench.execute(f"CREATE VIEW {TARGET} AS SELECT id FROM base")
        found = bench.warehouse.describe(TARGET)
        assert found is not None
        assert (found.kind, found.loadable) == ("view", False)

    def test_of_triggers_and_of_tables_whose_rows_would_go_too(self, pg_bench: Bench) -> None:
        pg_bench.execute(f"CREATE TABLE {TARGET} (id bigint PRIMARY KEY, n bigint GENERATED ALWAYS AS IDENTITY)")
        pg_bench.execute(f"CREATE TABLE child (id bigint CONSTRAINT up REFERENCES {TARGET} ON DELETE CASCADE)")
        pg_bench.execute(f"CREATE TABLE friend (id bigint REFERENCES {TARGET})")
        pg_bench.execute(
            f"CREATE TRIGGER each_row BEFORE UPDATE ON {TARGET} FOR EACH ROW"
            " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
        )
        pg_bench.execute(
            f"CREATE TRIGGER off BEFORE UPDATE ON {TARGET} FOR EACH ROW"
            " EXECUTE FUNCTION suppress_redundant_updates_trigger()"
        )
        pg_bench.execute(f"ALTER TABLE {TARGET} DISABLE TRIGGER off")
        found = pg_bench.warehouse.describe(TARGET)
        assert found is not None
        assert found.triggers == ("each_row",)
        assert found.cascades == ("child.up",)
        assert found.column("n").generated

    def test_of_rules_and_of_columns_that_take_different_texts_for_equal(self, pg_bench: Bench) -> None:
        pg_bench.execute("CREATE COLLATION folded (provider = icu, locale = 'und-u-ks-level2', deterministic = false)")
        pg_bench.execute(f"CREATE TABLE {TARGET} (id varchar(20) COLLATE folded PRIMARY KEY, note text, n int)")
        pg_bench.execute(f"CREATE RULE aside AS ON INSERT TO {TARGET} DO INSTEAD NOTHING")
        found = pg_bench.warehouse.describe(TARGET)
        assert found is not None
        assert found.rules == ("aside",)
        assert [column.folds for column in found.columns] == ["folded", "", ""]


@pytest.mark.parametrize(
    ("declared", "kind", "how", "value", "expected"),
    [
        ("timestamp", INSTANT, As.UTC_TIMESTAMP, at(1), at(1)),
        ("timestamp", INSTANT, As.LOCAL_TIMESTAMP, at(1), at(1).replace(day=10, hour=4)),
        ("boolean", pa.int16(), As.BOOLEAN, 1, True),
        ("varchar(40)", pa.int16(), As.TEXT, 2025, "2025"),
        ("varchar(40)", pa.decimal128(10, 2), As.TEXT, Decimal("1.5"), "1.50"),
        ("varchar(40)", pa.bool_(), As.TEXT, False, "0"),
        ("varchar(40)", pa.date32(), As.TEXT, at(1).date(), "2025-08-09"),
        ("varchar(40)", TIMESTAMP, As.TEXT, at(1), "2025-08-09 20:01:00.000000"),
        ("varchar(40)", INSTANT, As.TEXT, at(1), "2025-08-09 20:01:00.000000Z"),
        ("varchar(40)", pa.string(), As.JSON, '{"a": 1}', '{"a": 1}'),
    ],
    ids=str,
)
def test_a_column_is_kept_in_the_form_asked_for_in_old_and_new_targets(
    bench: Bench, declared: str, *, kind: pa.DataType, how: As, value: Any, expected: Any
) -> None:
    naming = Naming(as_types={"n": how}, zone="Asia/Shanghai")
    table = rows((1, at(1), value), (2, at(1), None), schema=with_column(pa.field("n", kind)))
    bench.execute(f"CREATE TABLE {TARGET} (id bigint, update_at timestamp, n {declared})")
    bench.load(table, naming=naming)
    assert bench.query(f"SELECT n FROM {TARGET} ORDER BY id") == [(expected,), (None,)]
    if how is not As.JSON:
        bench.load(table, naming=naming, target="fresh")
        assert bench.query("SELECT n FROM fresh ORDER BY id") == [(expected,), (None,)]


def test_a_number_that_is_no_truth_value_loads_nothing(bench: Bench) -> None:
    naming = Naming(as_types={"n": As.BOOLEAN})
    schema = with_column(pa.field("n", pa.int16()))
    with pytest.raises(TableError, match="2 is neither 0 nor 1"):
        bench.load(rows((1, at(1), 1), (2, at(1), 2), schema=schema), naming=naming)
    assert TARGET not in bench.tables()


@pytest.mark.parametrize("declared", ["json", "jsonb", None])
def test_json_is_a_value_for_the_database_and_not_a_text(pg_bench: Bench, declared: str | None) -> None:
    if declared:
        pg_bench.execute(f"CREATE TABLE {TARGET} (id bigint, update_at timestamp, n {declared})")
    table = rows((1, at(1), '{"a": [1, 2]}'), schema=with_column(pa.field("n", pa.string())))
    pg_bench.load(table, naming=Naming(as_types={"n": As.JSON}))
    assert pg_bench.query(f"SELECT n -> 'a' ->> 1 FROM {TARGET}") == [("2",)]


@pytest.mark.parametrize("declared", ["super", None])
def test_json_is_a_value_for_redshift_and_read_back_as_its_text(rs_bench: Bench, declared: str | None) -> None:
    if declared:
        rs_bench.execute(f"CREATE TABLE {TARGET} (id bigint, update_at timestamp, n jsonb)")
    naming = Naming(as_types={"n": As.JSON})
    schema = with_column(pa.field("n", pa.string()))
    rs_bench.load(rows((1, at(1), '{"a": [1, 2]}'), (2, at(1), None), schema=schema), naming=naming)
    assert rs_bench.query(f"SELECT n -> 'a' ->> 1 FROM {TARGET} ORDER BY id") == [("2",), (None,)]
    (batch,) = rs_bench.warehouse.read(TARGET, {"id": "id", "n": "n"}, 10)
    assert sorted(batch.column("n").to_pylist(), key=str) == [None, '{"a": [1, 2]}']
    found = rs_bench.warehouse.describe(TARGET)
    assert found is not None
    assert found.types["n"] == "super"


def test_text_goes_into_no_super_unless_it_is_said_to_be_json(rs_bench: Bench) -> None:
    rs_bench.execute(f"CREATE TABLE {TARGET} (id bigint, update_at timestamp, n jsonb)")
    with pytest.raises(TableError, match="n does not fit") as failure:
        rs_bench.load(rows((1, at(1), "{}"), schema=with_column(pa.field("n", pa.string()))))
    assert failure.value.next_step == "say `as: {n: json}`"


def test_names_that_redshift_refuses_are_no_matter_once_they_are_renamed(rs_bench: Bench) -> None:
    schema = pa.schema([ID, UPDATED, ("ctid", pa.string()), ("n" * 200, pa.int64())])
    naming = Naming(rename={"ctid": "c", "n" * 200: "n"})
    rs_bench.load(rows((1, at(1), "a", 7), schema=schema), naming=naming)
    assert rs_bench.query(f"SELECT c, n FROM {TARGET}") == [("a", 7)]
