"""Names and templates of statements: quoted here and nowhere else."""

from collections.abc import Sequence


def quote(*names: str) -> str:
    """A name, or a path of names, as an SQL identifier."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def fill(template: str, **parts: str) -> str:
    """A statement from a template and parts that are quoted already."""
    return template.format(**parts)


def columns_list(names: Sequence[str]) -> str:
    """Names as a list in a statement."""
    return ", ".join(quote(name) for name in names)
