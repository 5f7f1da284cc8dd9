"""Contestants measured in turn, round by round, until enough rounds were quiet."""

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.options import Options
from benchmarks.peers import Unavailable
from benchmarks.rounds import Role, Round, Row, Sample, judge, missing, noisy


class WrongResult(Exception):
    """A contestant ended well, but not with the rows that it should have moved."""


@dataclass(frozen=True)
class Contestant:
    """measure: prepares, runs, checks the result and removes it; raises one of `FAILURES`."""

    name: str
    role: Role
    rows: int
    measure: Callable[[], Sample]


@dataclass(frozen=True)
class Comparison:
    """What contestants reached at one work. failures: why others did not, by their names."""

    title: str
    rows: tuple[Row, ...]
    failures: dict[str, str]

    @property
    def failed(self) -> bool:
        """Whether anything but a peer is missing."""
        return any(name.startswith("wmtui") for name in self.failures) or not self.rows


FAILURES = (subprocess.CalledProcessError, subprocess.TimeoutExpired, Unavailable, WrongResult)


def compare(title: str, contestants: Sequence[Contestant], options: Options) -> Comparison:
    """Measure them; one that fails is told and takes part no more."""
    roles = {one.name: one.role for one in contestants}
    failures: dict[str, str] = {}
    rounds: list[Round] = []
    repeats = min(options.repeats, 1) if options.quick else options.repeats
    while missing(noisy(rounds, roles), options.rounds, repeats) and len(failures) < len(contestants):
        _tell(f"{title}: round {len(rounds) + 1}")
        taken: dict[str, Sample] = {}
        for one in contestants:
            if one.name in failures:
                continue
            try:
                taken[one.name] = one.measure()
                _tell(f"  {one.name}: {taken[one.name].wall:.2f} s")
            except FAILURES as error:
                failures[one.name] = reason(error)
                _tell(f"  {one.name} failed: {failures[one.name]}")
        rounds.append(taken)
    there = {name: role for name, role in roles.items() if name not in failures}
    kept = [{name: sample for name, sample in one.items() if name in there} for one in rounds]
    rows = judge(kept, there, {one.name: one.rows for one in contestants}, options.rounds) if there else []
    return Comparison(title, tuple(rows), failures)


def reason(error: Exception) -> str:
    """One line, with what the program said last."""
    if isinstance(error, subprocess.TimeoutExpired):
        return f"was ended after {error.timeout:g} s"
    if isinstance(error, subprocess.CalledProcessError):
        said = [line.strip() for line in (error.output or "").splitlines() if line.strip()]
        told = [line for line in said if "error" in line.lower()] or said
        return f"exit {error.returncode}: {' '.join(told[-1:])[-300:]}"
    return str(error) or type(error).__name__


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
