"""The rules of a comparison in rounds: which round was disturbed, medians, ratios. Pure functions of what was measured.

A round runs every contestant once, one after the other, so that a machine which becomes slower slows all of them.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

NOISE = 0.15
"""A round is noisy from here on: share of the machine that others used, or deviation of the limit from its median."""
REPEATS = 3
"""How many noisy rounds are run again at most."""

Role = Literal["limit", "ours", "peer", "other"]
"""limit: nothing can be faster. peer: another program that does the same work. other: only shown, not compared with."""


@dataclass(frozen=True)
class Sample:
    """One run of one contestant. Seconds; memory in bytes.

    others: share of the machine's processors that neither it nor its servers used, 0 to 1. statement, snapshot: the
    longest on the source; None: nothing was seen.
    """

    wall: float
    client: float
    servers: float
    memory: int
    others: float = 0.0
    statement: float | None = None
    snapshot: float | None = None


Round = Mapping[str, Sample]
"""By contestant."""


@dataclass(frozen=True)
class Row:
    """What one contestant reached: medians over the rounds that count. pace: rows per second on the clock;
    efficiency: rows per second of the client's processor time.

    rounds: how many count. noisy: how many of these were disturbed, where too few were quiet.

    of_limit: the limit's seconds by its own, of the same round, so that 1 is the limit. of_peer: seconds of the
    fastest peer by its own, so that 2 is twice as fast. Each None where there is none to compare with.
    """

    name: str
    role: Role
    rows: int
    sample: Sample
    of_limit: float | None
    of_peer: float | None
    rounds: int
    noisy: int

    @property
    def pace(self) -> float:
        return self.rows / self.sample.wall

    @property
    def efficiency(self) -> float | None:
        return self.rows / self.sample.client if self.sample.client else None


def noisy(rounds: Sequence[Round], roles: Mapping[str, Role]) -> list[bool]:
    """Which rounds were disturbed."""
    limits = [[one[name].wall for name in one if roles[name] == "limit"] for one in rounds]
    middle = statistics.median(walls[0] for walls in limits) if all(limits) and limits else 0.0
    return [
        max((sample.others for sample in one.values()), default=0.0) > NOISE
        or (middle > 0 and abs(walls[0] - middle) > NOISE * middle)
        for one, walls in zip(rounds, limits, strict=True)
    ]


def missing(marks: Sequence[bool], wanted: int, repeats: int = REPEATS) -> int:
    """How many more rounds to run, of those `wanted` and the repeats that noisy ones may have."""
    quiet = marks.count(False)
    return max(0, min(wanted - quiet, wanted + repeats - len(marks)))


def counted(rounds: Sequence[Round], marks: Sequence[bool], wanted: int) -> list[Round]:
    """The quiet rounds, or all of them where too few were quiet."""
    quiet = [one for one, mark in zip(rounds, marks, strict=True) if not mark]
    return quiet if len(quiet) >= wanted else list(rounds)


def judge(rounds: Sequence[Round], roles: Mapping[str, Role], rows: Mapping[str, int], wanted: int) -> list[Row]:
    """A row for each contestant that was in every round."""
    marks = noisy(rounds, roles)
    used = counted(rounds, marks, wanted)
    disturbed = sum(mark for one, mark in zip(rounds, marks, strict=True) if any(one is kept for kept in used))
    return [
        Row(
            name,
            role,
            rows[name],
            middle([one[name] for one in used]),
            None if role == "limit" else ratio([(fastest(one, roles, "limit"), one[name].wall) for one in used]),
            None if role != "ours" else ratio([(fastest(one, roles, "peer"), one[name].wall) for one in used]),
            len(used),
            disturbed,
        )
        for name, role in roles.items()
        if all(name in one for one in used)
    ]


def fastest(one: Round, roles: Mapping[str, Role], role: Role) -> float | None:
    """The least seconds of those with a role; None: there are none."""
    return min((sample.wall for name, sample in one.items() if roles[name] == role), default=None)


def ratio(pairs: Sequence[tuple[float | None, float]]) -> float | None:
    """The median of quotients, each of one round; None where one has nothing to compare with."""
    quotients = [above / below for above, below in pairs if above is not None]
    return statistics.median(quotients) if quotients and len(quotients) == len(pairs) else None


def middle(samples: Sequence[Sample]) -> Sample:
    """The median of each figure by itself."""
    return Sample(
        wall=statistics.median(one.wall for one in samples),
        client=statistics.median(one.client for one in samples),
        servers=statistics.median(one.servers for one in samples),
        memory=round(statistics.median(one.memory for one in samples)),
        others=statistics.median(one.others for one in samples),
        statement=_known([one.statement for one in samples]),
        snapshot=_known([one.snapshot for one in samples]),
    )


def _known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None
