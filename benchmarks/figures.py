"""What a benchmark measured, as rows of one table."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One row. ratio: to what `name` says it is compared with. budget: of the ratio, or of the value where there is
    none; None: only told. at_least: the budget is a lower bound.
    """

    name: str
    value: float
    unit: str
    ratio: float | None = None
    budget: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether it is within its budget; None: there is none."""
        if self.budget is None:
            return None
        measured = self.value if self.ratio is None else self.ratio
        return measured >= self.budget if self.at_least else measured <= self.budget

    def __str__(self) -> str:
        """The row in words."""
        text = (
            f"{self.name}: {self.value:,.{0 if self.value >= 100 or self.value == int(self.value) else 1}f} {self.unit}"
        )
        if self.ratio is not None:
            text += f", ratio {self.ratio:.2f}"
        if self.budget is not None:
            bound = "at least" if self.at_least else "at most"
            text += f" (budget {bound} {self.budget:,.10g}: {'met' if self.met else 'missed'})"
        return text


def show(figures: Iterable[Figure]) -> None:
    """Print each as soon as it is measured."""
    for figure in figures:
        print(figure, flush=True)
