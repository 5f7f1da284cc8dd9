"""SQL that MariaDB and MySQL understand alike, where each has a shorter form of its own."""


def series(length: int, name: str = "series") -> str:
    """A derived table of the numbers from 1 to `length`, in a column `seq`."""
    return f"JSON_TABLE(CONCAT('[0', REPEAT(',0', {length - 1}), ']'), '$[*]' COLUMNS (seq FOR ORDINALITY)) AS {name}"
