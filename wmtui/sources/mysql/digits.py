"""Numbers, dates and times from their digits, a column at once, eight digits in a word.

Each function takes what MySQL prints and nothing else: where a value is anything else, the answer is None, and the
values are cast one by one (`wmtui.sources.mysql.rows`), which says what is wrong.
"""

from datetime import date

import numpy as np
import pyarrow as pa

from wmtui.sources.mysql.cells import Cells
from wmtui.sources.mysql.packets import Places

_Words = np.ndarray[tuple[int], np.dtype[np.uint64]]

_WORD = 8
_MOST = 18
"""Digits of a number that surely fits into 64 bits with its sign."""

_ZEROS = np.uint64(0x3030303030303030)
_OVER_NINE, _HIGH_BITS = np.uint64(0x7676767676767676), np.uint64(0x8080808080808080)
_LAST = np.array([0] + [2**64 - 2 ** (64 - 8 * count) for count in range(1, _WORD + 1)], np.uint64)
"""By how many of a word's last bytes count: the mask of them."""

_PAIRS, _FOURS, _LOW = np.uint64(0x00FF00FF00FF00FF), np.uint64(0x0000FFFF0000FFFF), np.uint64(0xFF)

_FIRST_YEAR, _LAST_YEAR = 1, 9999
_DAY_MICROS = 86_400_000_000


def parsed(cells: Cells, to: pa.DataType) -> pa.Array | None:
    """The values as Arrow has them; None for a type, or a value, that is not read from its digits."""
    if pa.types.is_integer(to):
        return _integers(cells, to)
    if pa.types.is_decimal128(to):
        return _decimals(cells, to)
    if pa.types.is_date32(to):
        return _dates(cells, to)
    if pa.types.is_timestamp(to):
        return _timestamps(cells, to)
    return None


def _integers(cells: Cells, to: pa.DataType) -> pa.Array | None:
    numbers = _numbers(cells, 0)
    if numbers is None:
        return None
    kind = to.to_pandas_dtype()
    narrow = numbers.astype(kind, copy=False)
    if kind is not np.int64 and not np.array_equal(narrow, numbers):
        return None
    return _array(cells, to, narrow)


def _decimals(cells: Cells, to: pa.DataType) -> pa.Array | None:
    numbers = _numbers(cells, to.scale)
    if numbers is None or (to.precision < _MOST and len(numbers) and np.abs(numbers).max() >= 10**to.precision):
        return None
    wide = np.empty((len(numbers), 2), np.int64)
    wide[:, 0] = numbers
    wide[:, 1] = numbers >> 63
    return _array(cells, to, wide)


def _numbers(cells: Cells, scale: int) -> Places | None:
    """Numbers with so many digits after the point, times ten to the power of that."""
    lengths = cells.lengths
    point = 1 if scale else 0
    if not len(lengths) or lengths.max() - point > _MOST + 1:
        return None
    negative = cells.data[cells.starts] == ord("-")
    if cells.valid is not None:
        negative &= cells.valid
    signed = negative.any()
    digits = lengths - scale - point - negative if signed else lengths - scale - point
    if cells.valid is not None:
        digits = np.where(cells.valid, digits, 0)
        if not _positive(digits[cells.valid]):
            return None
    elif not _positive(digits):
        return None
    if digits.max() + scale > _MOST:
        return None
    numbers = _whole(cells, cells.ends - scale - point, digits)
    if scale and numbers is not None:
        points = cells.data[cells.ends - scale - 1] == ord(".")
        shown = np.full(len(digits), scale) if cells.valid is None else np.where(cells.valid, scale, 0)
        fractions = _whole(cells, cells.ends, shown)
        if fractions is None or not (points if cells.valid is None else points | ~cells.valid).all():
            return None
        numbers = numbers * 10**scale + fractions
    if signed and numbers is not None:
        numbers = np.where(negative, -numbers, numbers)
    return numbers


def _positive(counts: Places) -> bool:
    return not len(counts) or bool(counts.min() > 0)


def _whole(cells: Cells, ends: Places, digits: Places) -> Places | None:
    """The numbers whose digits end here; None if one of them is no digit."""
    words = max(1, -(-int(digits.max()) // _WORD))
    windows = _windows(cells, ends - words * _WORD, words)
    total = None
    for index in range(words):
        counts = digits if words == 1 else np.clip(digits - (words - 1 - index) * _WORD, 0, _WORD)
        word = (windows[:, index] ^ _ZEROS) & _LAST[counts]
        if not _are_digits(word):
            return None
        number = _eight(word)
        total = number if total is None else total * np.uint64(10**_WORD) + number
    return None if total is None else total.view(np.int64)


def _are_digits(word: _Words) -> bool:
    """Whether every byte is at most 9."""
    return not (((word + _OVER_NINE) | word) & _HIGH_BITS).any()


def _eight(word: _Words) -> _Words:
    """The number of eight digits, the first of them in the lowest byte."""
    word = (word * np.uint64(10) + (word >> np.uint64(8))) & _PAIRS
    word = (word * np.uint64(100) + (word >> np.uint64(16))) & _FOURS
    return (word * np.uint64(10_000) + (word >> np.uint64(32))) & np.uint64(0xFFFFFFFF)


def _windows(cells: Cells, at: Places, words: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint64]]:
    """So many words of eight bytes from each place on."""
    size = words * _WORD
    anywhere = np.ndarray((len(cells.data) - size + 1,), f"V{size}", cells.data, strides=(1,))
    return anywhere[at].view("<u8").reshape(len(at), words)


def _dates(cells: Cells, to: pa.DataType) -> pa.Array | None:
    if not _all_as_long(cells, len("2025-01-01")):
        return None
    days = _days(cells, _windows(cells, cells.starts, 2))
    return None if days is None else _array(cells, to, days.astype(np.int32))


def _timestamps(cells: Cells, to: pa.DataType) -> pa.Array | None:
    longest = int(cells.lengths.max()) if len(cells) else 0
    fraction = max(0, longest - len("2025-01-01 00:00:00."))
    shown = len("2025-01-01 00:00:00") + (fraction + 1 if fraction else 0)
    if fraction > 6 or not _all_as_long(cells, shown):
        return None
    words = _windows(cells, cells.starts, 4 if shown > 24 else 3)
    days = _days(cells, words)
    seconds = None if days is None else _seconds(cells, words)
    if days is None or seconds is None:
        return None
    micros = days * _DAY_MICROS + seconds * 1_000_000
    if fraction:
        ends = cells.ends
        digits = np.full(len(cells), fraction) if cells.valid is None else np.where(cells.valid, fraction, 0)
        parts = _whole(cells, ends, digits)
        points = cells.data[ends - fraction - 1] == ord(".")
        if parts is None or not _holds(cells, points):
            return None
        micros += parts * 10 ** (6 - fraction)
    return _array(cells, to, micros)


def _all_as_long(cells: Cells, length: int) -> bool:
    return len(cells) > 0 and _holds(cells, cells.lengths == length)


def _holds(cells: Cells, true: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> bool:
    """Whether something is true of every value that is not NULL."""
    return bool((true if cells.valid is None else true | ~cells.valid).all())


def _text_word(text: str) -> np.uint64:
    return np.uint64(int.from_bytes(text.encode().ljust(_WORD, b"\0"), "little"))


_YEAR_MONTH, _DAY_MINUTE, _DAY_ALONE, _SECOND = map(_text_word, ("0000-00-", "00 00:00", "00", ":00"))
_BETWEEN_YEAR_MONTH = np.uint64(0xFF0000FF00000000)
_BETWEEN_DAY_MINUTE = np.uint64(0x0000FF0000FF0000)
_FIRST_TWO, _FIRST_THREE = np.uint64(0xFFFF), np.uint64(0xFFFFFF)


def _days(cells: Cells, words: np.ndarray[tuple[int, int], np.dtype[np.uint64]]) -> Places | None:
    """Days since 1970 of `2025-01-01…`; None where a value is no date of the calendar."""
    upper = words[:, 0] ^ _YEAR_MONTH
    lower = (words[:, 1] ^ _DAY_ALONE) & _FIRST_TWO
    if cells.valid is not None:
        upper, lower = np.where(cells.valid, upper, 0), np.where(cells.valid, lower, 0)
    if not (_are_digits(upper) and _are_digits(lower)) or (upper & _BETWEEN_YEAR_MONTH).any():
        return None
    pairs = upper * np.uint64(10) + (upper >> np.uint64(8))
    year = (pairs & _LOW) * np.uint64(100) + ((pairs >> np.uint64(16)) & _LOW)
    month = (pairs >> np.uint64(40)) & _LOW
    day = ((lower * np.uint64(10) + (lower >> np.uint64(8))) & _LOW).view(np.int64)
    at = (year * np.uint64(12) + month).view(np.int64)
    sound = (month - np.uint64(1) < 12) & (year >= _FIRST_YEAR) & (day > 0) & (day <= _MONTH_LENGTHS[at])
    return _MONTH_STARTS[at] + day if _holds(cells, sound) else None


def _seconds(cells: Cells, words: np.ndarray[tuple[int, int], np.dtype[np.uint64]]) -> Places | None:
    """Seconds since midnight of `… 00:00:00`; None where a value is no time of day."""
    upper = words[:, 1] ^ _DAY_MINUTE
    lower = (words[:, 2] ^ _SECOND) & _FIRST_THREE
    if cells.valid is not None:
        upper, lower = np.where(cells.valid, upper, 0), np.where(cells.valid, lower, 0)
    if not (_are_digits(upper) and _are_digits(lower)):
        return None
    if (upper & _BETWEEN_DAY_MINUTE).any() or (lower & _LOW).any():
        return None
    pairs = upper * np.uint64(10) + (upper >> np.uint64(8))
    hour, minute = (pairs >> np.uint64(24)) & _LOW, (pairs >> np.uint64(48)) & _LOW
    second = ((lower >> np.uint64(8)) * np.uint64(10) + (lower >> np.uint64(16))) & _LOW
    if (hour > 23).any() or (minute > 59).any() or (second > 59).any():
        return None
    seconds: Places = (hour * np.uint64(3600) + minute * np.uint64(60) + second).view(np.int64)
    return seconds


def _month_starts() -> Places:
    """For each year times twelve plus month, the last day before it, in days since 1970."""
    starts = np.zeros((_LAST_YEAR + 1) * 12 + 256, np.int64)
    months = np.arange("0001-01", "10000-02", dtype="datetime64[M]")
    starts[13 : 13 + len(months)] = months.astype("datetime64[D]").astype(np.int64) - 1
    return starts


_MONTH_STARTS = _month_starts()
_MONTH_LENGTHS = np.append(np.diff(_MONTH_STARTS), 0)
assert _MONTH_STARTS[13] + 1 == (date(1, 1, 1) - date(1970, 1, 1)).days


def _array(cells: Cells, to: pa.DataType, values: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> pa.Array:
    return pa.Array.from_buffers(to, len(cells), [cells.validity, pa.py_buffer(values)])
