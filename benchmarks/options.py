"""What a user asked for: how much is measured, and on which servers."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """rows: of a settlement table; None: 100,000 when quick, else 2,000,000. rounds: quiet ones that are wanted;
    repeats: how many noisy ones are run again at most.

    source: kind of the private server that is read, `mysql` or `mariadb`. config: a tables.yaml whose source is read
    in its place, with the table and the profile; build: make the tables of the benchmark on that server.
    peers: whether other programs take part. long: also what takes many minutes.
    """

    quick: bool = False
    rows_asked: int | None = None
    rounds: int = 3
    repeats: int = 3
    source: str = "mysql"
    config: Path | None = None
    profile: str | None = None
    table: str | None = None
    build: bool = False
    peers: bool = True
    long: bool = False
    seconds: float = 1800
    """How long one program may take before it is ended."""

    @property
    def rows(self) -> int:
        return self.rows_asked or (100_000 if self.quick else 2_000_000)

    @property
    def writes(self) -> bool:
        """Whether tables may be made and changed on the source."""
        return self.config is None or self.build
