"""Integers and decimals as PostgreSQL's numeric_recv takes them: digits of base 10,000, equally many for each value."""

import numpy as np
import numpy.typing as npt
import pyarrow as pa

_BASE = np.uint64(10_000)
_BASE_DIGITS = 4
_LIMB = np.uint64(32)
_NEGATIVE = 0x4000
_WORD_DIGITS = 18
"""Decimal digits that a signed word of 64 bits holds, whichever they are."""
_HEADER = 4
"""Words before the digits: how many there are, the weight of the first, the sign, and the digits after the point."""


def numeric_bytes(array: pa.Array) -> npt.NDArray[np.uint8]:
    """A line of bytes for each value. Leading zeros are no part of a number: PostgreSQL takes them away."""
    scale = array.type.scale if pa.types.is_decimal(array.type) else 0
    fraction = -(-scale // _BASE_DIGITS)
    # The point is between two digits of base 10,000.
    shift = 10 ** (fraction * _BASE_DIGITS - scale)
    if pa.types.is_decimal128(array.type) and array.type.precision + len(str(shift)) - 1 <= _WORD_DIGITS:
        signed = np.frombuffer(array.buffers()[1], np.int64)[::2][array.offset :][: len(array)]
        negative = signed < 0
        digits = _word_digits(np.abs(signed).view(np.uint64) * np.uint64(shift))
    else:
        limbs, negative = _magnitudes(array)
        digits = _digits(_times(limbs, shift))
    rows = len(array)
    words = np.zeros((rows, _HEADER + len(digits)), ">i2")
    words[:, 0] = len(digits)
    words[:, 1] = len(digits) - fraction - 1
    words[:, 2] = np.where(negative, _NEGATIVE, 0)
    words[:, 3] = scale
    for place, digit in enumerate(reversed(digits)):
        words[:, _HEADER + place] = digit
    return words.view(np.uint8).reshape(rows, -1)


_Limbs = list[npt.NDArray[np.uint64]]
"""Absolute values of many numbers: parts of 32 bits each, the lowest first."""


def _magnitudes(array: pa.Array) -> tuple[_Limbs, npt.NDArray[np.bool_]]:
    if not pa.types.is_decimal(array.type):
        numbers = np.frombuffer(array.buffers()[1], array.type.to_pandas_dtype())[array.offset :][: len(array)]
        if numbers.dtype.kind == "u":
            return _split(numbers.astype(np.uint64)), np.zeros(len(array), np.bool_)
        signed = numbers.astype(np.int64)
        return _split(np.abs(signed).view(np.uint64)), signed < 0
    words = array.type.byte_width // 8
    lines = np.frombuffer(array.buffers()[1], np.uint64).reshape(-1, words)[array.offset :][: len(array)]
    negative = (lines[:, -1] >> np.uint64(63)).astype(np.bool_)
    limbs: _Limbs = []
    carry = negative.astype(np.uint64)
    for word in range(words):
        for limb in _split(lines[:, word]):
            flipped = np.where(negative, limb ^ np.uint64(0xFFFFFFFF), limb) + carry
            carry = flipped >> _LIMB
            limbs.append(flipped & np.uint64(0xFFFFFFFF))
    return limbs, negative


def _split(words: npt.NDArray[np.uint64]) -> _Limbs:
    return [words & np.uint64(0xFFFFFFFF), words >> _LIMB]


def _times(limbs: _Limbs, factor: int) -> _Limbs:
    if factor == 1:
        return limbs
    result: _Limbs = []
    carry = np.zeros(len(limbs[0]), np.uint64)
    for limb in limbs:
        product = limb * np.uint64(factor) + carry
        result.append(product & np.uint64(0xFFFFFFFF))
        carry = product >> _LIMB
    return [*result, carry]


def _word_digits(words: npt.NDArray[np.uint64]) -> list[npt.NDArray[np.uint64]]:
    digits: list[npt.NDArray[np.uint64]] = []
    while words.any():
        rest = words // _BASE
        digits.append(words - rest * _BASE)
        words = rest
    return digits


def _digits(limbs: _Limbs) -> list[npt.NDArray[np.uint64]]:
    """Digits of base 10,000, the lowest first, as many as the greatest number has."""
    digits: list[npt.NDArray[np.uint64]] = []
    while limbs:
        while limbs and not limbs[-1].any():
            limbs = limbs[:-1]
        if not limbs:
            break
        if len(limbs) <= 2:  # Divided by the processor at once.
            return [*digits, *_word_digits(limbs[0] | (limbs[1] << _LIMB) if len(limbs) == 2 else limbs[0])]
        quotients: _Limbs = []
        rest = np.zeros(len(limbs[0]), np.uint64)
        for limb in reversed(limbs):
            dividend = (rest << _LIMB) | limb
            quotient = dividend // _BASE
            rest = dividend - quotient * _BASE
            quotients.insert(0, quotient)
        digits.append(rest)
        limbs = quotients
    return digits
