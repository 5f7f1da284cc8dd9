"""Pieces of errors, findings and messages, so that every package counts, measures and suggests alike. Pure."""

import difflib
from collections.abc import Iterable
from datetime import timedelta

_UNITS = (("d", 86400), ("h", 3600), ("m", 60), ("s", 1))


def count(number: int, noun: str) -> str:
    """`1 file`, `2,000 files`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def format_duration(length: timedelta) -> str:
    """A length of time in its two largest units, e.g. `3 h 12 m`."""
    seconds = int(length.total_seconds())
    amounts: list[tuple[int, str]] = []
    for unit, size in _UNITS:
        amount, seconds = divmod(seconds, size)
        if amount or amounts:
            amounts.append((amount, unit))
    return " ".join(f"{amount} {unit}" for amount, unit in amounts[:2] if amount) or "0 s"


def nearest(word: str, valid: Iterable[str], most: int = 1, cutoff: float = 0.6) -> list[str]:
    """The valid words most like this one, the most similar first. cutoff: 1 takes equal words only, 0 any."""
    return difflib.get_close_matches(word, tuple(valid), most, cutoff)


def did_you_mean(
    word: str, valid: Iterable[str], otherwise: str, *, most: int = 1, cutoff: float = 0.6, quoted: str = "{}"
) -> str:
    """The next step for a word that is not valid: the nearest valid ones, or `otherwise` where none is near.

    quoted: how a valid word is written, with `{}` for it.
    """
    near = nearest(word, valid, most, cutoff)
    return f"did you mean {' or '.join(map(quoted.format, near))}?" if near else otherwise
