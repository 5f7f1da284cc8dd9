"""What mutmut found, and which survivors are no other programs: the list of equivalents, with reasons."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_KILLED = (1, 3)
_TIMEOUT = (-24, 24, 36, 152, 255)
_NO_TESTS = (5, 33)


def status(code: int | None) -> str:
    """In words, how pytest ended for a mutant."""
    if code is None:
        return "not tried"
    if code in _KILLED:
        return "killed"
    if code in _TIMEOUT:
        return "timeout"
    return "no tests" if code in _NO_TESTS else "survived" if code == 0 else f"ended with {code}"


def change_of(diff: str) -> str:
    """The lines that a mutant takes away and adds, without their indentation."""
    lines = [line for line in diff.splitlines() if line[:1] in "-+" and not line.startswith(("---", "+++"))]
    return "\n".join(f"{line[0]} {line[1:].replace('# pragma: no mutate', '').strip()}".strip() for line in lines)


def place_of(name: str) -> str:
    """`module:function` or `module:Class.method` of a mutant."""
    module, _, function = name.partition("__mutmut_")[0].rpartition(".")
    words = function.replace("x_", "", 1) if function.startswith("x_") else function[2:].replace("ǁ", ".")
    return f"{module}:{words}"


@dataclass
class Equivalents:
    """Mutants that behave as the original does: place and change → the reason."""

    reasons: Mapping[tuple[str, str], str]
    met: set[tuple[str, str]] = field(default_factory=set)

    @classmethod
    def read(cls, file: Path) -> "Equivalents":
        """Blocks between blank lines: the place, lines with - and +, then the reason. # begins a comment."""
        reasons = {}
        for block in file.read_text().split("\n\n"):
            lines = [line for line in block.splitlines() if line and not line.startswith("#")]
            if lines:
                change = [line for line in lines[1:] if line[:2] in ("- ", "+ ", "-", "+")]
                reasons[lines[0], "\n".join(change)] = " ".join(line for line in lines[1:] if line not in change)
        return cls(reasons)

    def has(self, place: str, change: str) -> bool:
        """Whether this mutant is listed."""
        self.met |= {(place, change)} & self.reasons.keys()
        return (place, change) in self.reasons

    def unused(self, modules: Sequence[str]) -> list[str]:
        """Entries of these modules that no survivor is."""
        names = [module.removesuffix(".py").replace("/", ".") for module in modules]
        left = [entry for entry in self.reasons if entry not in self.met and entry[0].partition(":")[0] in names]
        return [f"{place}\n{change}" for place, change in left]


@dataclass
class Tally:
    """The mutants of a module."""

    module: str
    killed: int = 0
    timeouts: int = 0
    equivalent: int = 0
    survivors: list[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        module: str,
        codes: Mapping[str, int | None],
        equivalents: Equivalents,
        diff: Callable[[str], str],
    ) -> "Tally":
        """Count them. codes: how pytest ended for each. diff: what one changes."""
        tally = cls(module)
        for name, code in codes.items():
            if status(code) == "killed":
                tally.killed += 1
            elif status(code) == "timeout":
                tally.timeouts += 1
            else:
                place, change = place_of(name), change_of(diff(name))
                if equivalents.has(place, change):
                    tally.equivalent += 1
                else:
                    tally.survivors.append(f"# {name}: {status(code)}\n{place}\n{change}")
        return tally

    @classmethod
    def total(cls, tallies: Sequence["Tally"]) -> "Tally":
        """All modules together."""
        survivors = [survivor for tally in tallies for survivor in tally.survivors]
        counts = (sum(getattr(t, name) for t in tallies) for name in ("killed", "timeouts", "equivalent"))
        return cls("all", *counts, survivors)

    @property
    def score(self) -> float:
        """Per cent noticed, of those not listed as equivalent."""
        noticed = self.killed + self.timeouts
        return 100 * noticed / max(noticed + len(self.survivors), 1)

    def __str__(self) -> str:
        return (
            f"{self.module:<32} {self.score:5.1f} %: {self.killed} killed, {self.timeouts} timed out, "
            f"{len(self.survivors)} survived, {self.equivalent} equivalent"
        )
