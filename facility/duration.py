"""Durations as people write them on a command line: 60s, 5m, 2h, 500ms, or plain seconds."""

from __future__ import annotations

import math
import re

_FORM = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, None: 1.0}


def seconds(text: str) -> float:
    """The seconds that a duration stands for; ValueError unless it is one and longer than nothing."""
    found = _FORM.fullmatch(text.strip()) if len(text) < 32 else None
    number = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if not 0 < number < math.inf:
        raise ValueError(f"{text!r} is no duration, such as 60s or 5m")
    return number


def spoken(seconds_: float) -> str:
    """A duration as people read it: `12 s`, `4.5 min`, `2.1 h`, `213 d`."""
    for size, unit in ((86_400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds_ >= 2 * size:
            return f"{seconds_ / size:.3g} {unit}"
    return f"{seconds_:.3g} s"
