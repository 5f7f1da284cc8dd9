"""Which server answers a connection: several may answer at one address."""

from typing import Any, Protocol

from msgspec import Struct

from wmtui.sources.mysql.server_kind import Kind, kind_of

_SERVER = """
SELECT @@hostname AS host, @@port AS port, @@server_id AS number, @@datadir AS folder, @@version AS version,
       @@version_comment AS comment, @@read_only OR @@innodb_read_only AS read_only /*!50700 , @@server_uuid AS uuid */
"""


class Queries(Protocol):
    """What reads rows of one statement."""

    def query(self, sql: str) -> list[dict[str, Any]]:
        """All rows of a small result, column names in lower case."""
        ...


class Server(Struct, frozen=True):
    """A server as it describes itself.

    identity: tells it from every other one: its UUID where it has one (MySQL), else host, port, number and data folder
    (MariaDB). read_only: it takes no writes of applications, as a replica does.
    """

    identity: str
    kind: Kind
    comment: str
    read_only: bool

    @property
    def is_mariadb(self) -> bool:
        """It speaks MariaDB's dialect."""
        return self.kind.is_mariadb


def read_server(session: Queries) -> Server:
    """Ask a session which server it is on. Raises SourceError."""
    row = session.query(_SERVER)[0]
    folder = f"{row['host']}:{row['port']} {row['number']} {row['folder']}"
    return Server(
        identity=str(row.get("uuid") or folder),
        kind=kind_of(str(row["version"]), str(row["comment"])),
        comment=str(row["comment"]),
        read_only=bool(row["read_only"]),
    )
