"""Is the warehouse what the source was at the watermark's position?"""

from wmtui.verify.result import (
    FINDINGS,
    Counts,
    Example,
    LeftOut,
    Problem,
    Reason,
    Result,
    Verification,
)

__all__ = ["FINDINGS", "Counts", "Example", "LeftOut", "Problem", "Reason", "Result", "Verification"]
