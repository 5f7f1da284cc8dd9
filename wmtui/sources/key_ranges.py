"""Cutting a span into primary-key ranges that cover it whatever is inserted meanwhile."""

from collections.abc import Sequence

from msgspec.structs import replace

from wmtui.model import Key, Span


def ranges(span: Span, boundaries: Sequence[Key]) -> list[Span]:
    """The span cut after each boundary: half-open ranges (after, upto], the outer ends as open as the span's.

    boundaries: ascending and distinct, each inside the span's key range.
    """
    starts = [span.key_after, *boundaries]
    ends = [*boundaries, span.key_upto]
    return [replace(span, key_after=start, key_upto=end) for start, end in zip(starts, ends, strict=True)]


def even_boundaries(lowest: int, highest: int, pieces: int) -> list[Key]:
    """Boundaries that cut the integers lowest…highest into at most `pieces` ranges of equal width."""
    width = highest - lowest + 1
    pieces = min(pieces, width)
    return [(lowest + width * piece // pieces - 1,) for piece in range(1, pieces)]


def sampled_boundaries(sample: Sequence[Key], pieces: int) -> list[Key]:
    """Boundaries that cut a sorted sample of distinct keys into at most `pieces` ranges of equal share."""
    pieces = min(pieces, len(sample))
    return [sample[len(sample) * piece // pieces - 1] for piece in range(1, pieces)]
