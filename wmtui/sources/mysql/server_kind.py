"""What kind of server answers, by its version and what it says about itself."""

import re

from msgspec import Struct

_OLDEST = {"MySQL": (5, 7), "Percona Server": (5, 7), "Aurora MySQL": (5, 7), "MariaDB": (10, 6)}
"""Kinds that wmtui's statements are written for, and since when."""

_LOOKALIKES = ("TiDB", "Vitess", "SingleStore", "OceanBase", "Doris", "StarRocks")
_MYSQL = re.compile(r"MySQL|Source distribution|\((Debian|Ubuntu|Google)\)|Homebrew|conda-forge", re.IGNORECASE)


class Kind(Struct, frozen=True):
    """name: the product, "" for an unknown one. release: the numbers of its version, as MySQL or MariaDB counts."""

    name: str
    version: str
    release: tuple[int, ...]

    @property
    def is_mariadb(self) -> bool:
        """It speaks MariaDB's dialect."""
        return self.name == "MariaDB"

    @property
    def doubt(self) -> str:
        """Why wmtui may not work on it, "" for a server that its statements are written for."""
        if not self.name:
            return "a server of unknown kind: wmtui was written for MySQL and MariaDB"
        if self.name not in _OLDEST:
            return f"{self.name} is neither MySQL nor MariaDB: its transactions and its catalogue may be others"
        oldest = _OLDEST[self.name]
        return f"older than {'.'.join(map(str, oldest))}" if self.release < oldest else ""

    def __str__(self) -> str:
        return f"{self.name or 'a server that calls itself'} {self.version}"


def kind_of(version: str, comment: str, aurora: str | None = None) -> Kind:
    """The kind by VERSION(), @@version_comment, and @@aurora_version where there is one."""
    release = tuple(int(number) for number in re.findall(r"\d+", version)[:3])
    if "mariadb" in f"{version} {comment}".lower():
        numbers = re.search(r"(\d+)\.(\d+)\.(\d+)-MariaDB", version, re.IGNORECASE)
        return Kind("MariaDB", version, tuple(map(int, numbers.groups())) if numbers else release)
    for name in _LOOKALIKES:
        if name.lower() in f"{version} {comment}".lower():
            return Kind(name, version, release)
    if aurora:
        return Kind("Aurora MySQL", f"{aurora} (MySQL {version})", release)
    if "percona" in comment.lower():
        return Kind("Percona Server", version, release)
    return Kind("MySQL", version, release) if _MYSQL.search(comment) else Kind("", f"{version} {comment}", release)
