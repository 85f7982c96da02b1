"""Pure: does a value fit its register? The same judgement as encoding it, only much quicker and with the reason.

Told as well: numbers that the encoder would cut off (a byte, a field of bits), and those whose raw number stands for
"not available", so that a reader would be told the opposite of what the table says.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable

from facility.points import Register

_WHOLE = {
    "uint8": (0, 255), "int8": (-128, 127), "uint16": (0, 65_535), "int16": (-32_768, 32_767),
    "uint32": (0, 2**32 - 1), "int32": (-(2**31), 2**31 - 1), "uint64": (0, 2**64 - 1), "int64": (-(2**63), 2**63 - 1),
    "bcd16": (0, 9999), "bcd32": (0, 99_999_999), "bcd64": (0, 10**16 - 1), "bool": (0, 1),
}  # fmt: skip
_FLOATS = {"float16": 65_504.0, "float32": 3.4028234663852886e38, "float64": sys.float_info.max}
Judge = Callable[[float], str]
"""A canonical number -> why it does not fit (the end of a sentence about it), or nothing."""


def judge(register: Register) -> Judge:
    """What judges the numbers of one register."""
    if register.values is not None:
        return _mapped(register)
    low, end = _range(register)
    missing, whole = _missing(register), register.type not in _FLOATS
    scale, offset = register.scale, register.offset

    def fits(value: float) -> str:
        raw = (value - offset) / scale
        if not low <= raw < end:
            bounds = sorted((_ceil(low) * scale + offset, _ceil(end - 1 if whole else end) * scale + offset))
            return f"does not fit into {register.type}, which holds {bounds[0]:g} to {bounds[1]:g}"
        if missing and (round(raw) if whole else raw) in missing:
            return f"can't be shown: the raw number {raw:g} means 'not available'"
        return ""

    return fits


def _mapped(register: Register) -> Judge:
    known = frozenset((register.values or {}).values())
    return lambda value: "" if value in known else "can't be shown: the profile has no raw number for it"


def _range(register: Register) -> tuple[float, float]:
    """The raw numbers from the first to just below the second. Halves round to the even neighbour, as encoding does."""
    if register.type in _FLOATS:
        return -_FLOATS[register.type], math.nextafter(_FLOATS[register.type], math.inf)
    first, last = register.bits
    low, high = (0, 2 ** (last - first + 1) - 1) if register.type in ("bit", "bits") else _WHOLE[register.type]
    return low - 0.5, high + 0.5


def _ceil(raw: float) -> float:
    return math.ceil(raw) if abs(raw) < 2**53 else raw


def _missing(register: Register) -> frozenset[float]:
    """The sentinels as raw numbers: 65535 in an int16 is -1."""
    if register.type in ("bit", "bool"):
        return frozenset()
    found = set(register.sentinels)
    if register.type.startswith("int"):
        size = 2 ** (16 * register.words)
        found |= {sentinel - size for sentinel in register.sentinels if sentinel >= size / 2}
    return frozenset(found)
