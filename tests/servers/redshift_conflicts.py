"""Conflicts of concurrent transactions by whole tables, as Redshift finds them at isolation level SERIALIZABLE.

By its developer guide, "Isolation levels in Amazon Redshift": a snapshot is taken by the first statement that is not
LOCK, SET or BEGIN, and transactions must have an order in which each would have seen and done the same one by one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from threading import RLock


@dataclass(eq=False)
class Transaction:
    """One that runs, or that was committed while another ran. snapshot, committed: when, None for not yet.

    reads, writes: tables.
    """

    number: int
    snapshot: int | None = None
    committed: int | None = None
    reads: set[int] = field(default_factory=set)
    writes: set[int] = field(default_factory=set)

    def sees(self, other: "Transaction") -> bool:
        """Whether what the other one wrote is in this one's snapshot."""
        return other.committed is not None and (self.snapshot is None or other.committed < self.snapshot)


def must_precede(first: Transaction, second: Transaction) -> set[int]:
    """The tables for whose sake the first must come before the second in every order."""
    unseen = set() if first.sees(second) else first.reads & second.writes
    if first.committed is None or (second.committed is not None and second.committed < first.committed):
        return unseen
    seen = first.writes & second.reads if second.sees(first) else set()
    return unseen | seen | (first.writes & second.writes)


def find_cycle(mine: Transaction, others: Sequence[Transaction]) -> tuple[int, list[int]] | None:
    """A table, and the numbers of transactions of which each must precede the next one and the last the first."""
    ways: list[list[Transaction]] = [[mine]]
    known = {mine}
    while ways:
        way = ways.pop(0)
        if len(way) > 1 and (tables := must_precede(way[-1], mine)):
            return min(tables), [transaction.number for transaction in way]
        for other in others:
            if other not in known and must_precede(way[-1], other):
                known.add(other)
                ways.append([*way, other])
    return None


class Conflicts:
    """The transactions of all sessions, by the number of their server process.

    lock: held while one commits, so that no snapshot falls between the commit and its mark.
    """

    def __init__(self) -> None:
        self.lock = RLock()
        self._time = 0
        self._numbers = 1_000
        self._running: dict[int, Transaction] = {}
        self._ended: list[Transaction] = []

    def running(self) -> list[int]:
        """Sessions with a transaction that has a snapshot."""
        with self.lock:
            return list(self._running)

    def take_snapshot(self, session: int) -> None:
        """The session's transaction gets its snapshot now, unless it has one."""
        with self.lock:
            if session not in self._running:
                self._numbers += 1
                self._running[session] = Transaction(self._numbers, self._tick())

    def use(self, session: int, *, reads: Iterable[int] = (), writes: Iterable[int] = ()) -> None:
        """The session's transaction has read or written tables."""
        with self.lock:
            if found := self._running.get(session):
                found.reads |= set(reads)
                found.writes |= set(writes)

    def find(self, session: int) -> tuple[int, list[int]] | None:
        """A cycle that the session's transaction is part of."""
        with self.lock:
            mine = self._running.get(session)
            if mine is None:
                return None
            others = [other for other in self._running.values() if other is not mine]
            return find_cycle(mine, [*self._ended, *others])

    def end(self, session: int, *, committed: bool) -> None:
        """The session's transaction is over. What no running one can conflict with is forgotten."""
        with self.lock:
            if (ended := self._running.pop(session, None)) and committed:
                ended.committed = self._tick()
                self._ended.append(ended)
            self._forget()

    def _forget(self) -> None:
        kept: list[Transaction] = []
        while True:
            concurrent = [*self._running.values(), *kept]
            oldest = min((found.snapshot or 0 for found in concurrent), default=self._time + 1)
            more = [found for found in self._ended if found.committed and found.committed > oldest]
            if len(more) == len(kept):
                break
            kept = more
        self._ended = kept

    def _tick(self) -> int:
        self._time += 1
        return self._time
