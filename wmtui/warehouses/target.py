"""What a warehouse says of the table that files are to land in."""

from collections.abc import Mapping

from msgspec import Struct

Columns = Mapping[str, str]
"""A table's columns in order: name to declared type."""

_LOADABLE = ("table", "foreign table")


class TargetColumn(Struct, frozen=True):
    """One column. type: as declared. has_default: a row may leave it out. generated: no load may write it.

    folds: the collation or type by which it takes different texts for equal; "" where it tells all apart.
    """

    name: str
    type: str
    nullable: bool = True
    has_default: bool = False
    generated: bool = False
    folds: str = ""


class TargetTable(Struct, frozen=True):
    """A relation under a target's name, as this user finds it.

    kind: `table`, `view`, or what else stands there. row_security: it hides rows from this user. triggers: those that
    fire for each row. cascades: foreign keys of other tables that delete rows with rows of this one. rules: what
    rewrites statements on it.
    owned: this user may add and change columns. owner: "" where there is none.
    """

    columns: tuple[TargetColumn, ...]
    primary_key: tuple[str, ...] = ()
    kind: str = "table"
    row_security: bool = False
    triggers: tuple[str, ...] = ()
    cascades: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    owned: bool = True
    owner: str = ""

    @property
    def loadable(self) -> bool:
        """It is something that rows can be deleted from and inserted into."""
        return self.kind in _LOADABLE

    @property
    def types(self) -> dict[str, str]:
        """Declared types by column, in order."""
        return {column.name: column.type for column in self.columns}

    def column(self, name: str) -> TargetColumn:
        """The column of exactly this name."""
        return next(column for column in self.columns if column.name == name)


class TargetLimits(Struct, frozen=True):
    """What a column may hold at most, and how it may be called. text_bytes: of UTF-8, binary_bytes, name_bytes; None:
    no limit. nul: text with a NUL. system_names: of columns that every table has. ignores_case: names that differ in
    case alone are one.
    """

    text_bytes: int | None = None
    binary_bytes: int | None = None
    nul: bool = False
    name_bytes: int | None = None
    system_names: frozenset[str] = frozenset()
    ignores_case: bool = False
