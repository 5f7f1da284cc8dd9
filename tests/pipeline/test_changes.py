"""What is reported of columns that changed between two runs."""

from wmtui.config import TableConfig
from wmtui.pipeline.extract.schema_changes import changes
from wmtui.runs.run_document import Column

ID = Column("id", "int(11)", "int32")
NOTE = Column("note", "varchar(20)", "string")


def reported(before: list[Column], now: list[Column], exclude: tuple[str, ...] = ()) -> list[str]:
    return list(changes(before, now, TableConfig(exclude=exclude)))


def test_nothing_is_told_of_columns_that_are_as_they_were() -> None:
    assert reported([ID, NOTE], [NOTE, ID]) == []


def test_new_gone_and_changed_columns_are_told_by_name_and_type() -> None:
    wider = Column("id", "bigint(20)", "int64")
    fresh = Column("fresh", "date", "date32[day]")
    assert reported([ID, NOTE], [wider, fresh]) == [
        "column id is bigint(20) now, it was int(11)",
        "column fresh is new (date): a load adds it to the target, NULL in older rows",
        "column note is gone from the source: the target keeps it, NULL in rows loaded from now on",
    ]


def test_a_column_that_may_have_been_renamed_is_told_how_to_go_on_with_it() -> None:
    remark = Column("remark", "varchar(20)", "string")
    (_, gone) = reported([ID, NOTE], [ID, remark])
    assert gone.endswith("if remark is its new name, `rename: {remark: note}` goes on with it")


def test_an_excluded_column_is_not_told_as_gone() -> None:
    (line,) = reported([ID, NOTE], [ID], exclude=("note",))
    assert line.startswith("column note is excluded now")


def test_columns_renamed_to_each_other_s_names_are_reported() -> None:
    net, gross = Column("net", "int(11)", "int32"), Column("gross", "int(11)", "int32")
    (line,) = reported([ID, net, gross], [ID, gross, net])
    assert line.startswith("columns gross, net stand in each other's places: if they were renamed crosswise")


def test_another_definition_of_a_column_is_told_where_the_one_before_was_noted() -> None:
    before = Column("u", "timestamp", "timestamp[us]", "on update current_timestamp()")
    now = Column("u", "timestamp", "timestamp[us]", "")
    (line,) = reported([before], [now])
    assert line.startswith("column u is plain now, it was on update current_timestamp()")
    assert reported([Column("u", "timestamp", "timestamp[us]")], [now]) == []
