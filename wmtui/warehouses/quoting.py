"""Names and templates of statements: quoted here and nowhere else."""

from collections.abc import Sequence

from msgspec import Struct


def quote(*names: str) -> str:
    """A name, or a path of names, as an SQL identifier."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def fill(template: str, **parts: str) -> str:
    """A statement from a template and parts that are quoted already."""
    return template.format(**parts)


def columns_list(names: Sequence[str]) -> str:
    """Names as a list in a statement."""
    return ", ".join(quote(name) for name in names)


class Insert(Struct, frozen=True):
    """An INSERT of bound values. table: quoted. columns: names, not quoted yet."""

    table: str
    columns: tuple[str, ...]

    def statement(self, rows: int = 1) -> str:
        """The statement for so many rows; their values are bound as $1, $2, …, one row after the other."""
        width = len(self.columns)
        places = [", ".join(f"${row * width + column + 1}" for column in range(width)) for row in range(rows)]
        return fill(
            "INSERT INTO {table} ({columns}) VALUES ({values})",
            table=self.table,
            columns=columns_list(self.columns),
            values="), (".join(places),
        )
