"""What a benchmark measured, as rows of one table."""

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

    @property
    def result(self) -> str:
        """The value in words."""
        whole = self.value >= 100 or self.value == int(self.value)
        return f"{self.value:,.{0 if whole else 2}f} {self.unit}"

    @property
    def bound(self) -> str:
        """The budget in words, and whether it is met."""
        if self.budget is None:
            return ""
        return f"{'≥' if self.at_least else '≤'} {self.budget:,.10g}: {'met' if self.met else 'missed'}"
