"""Pure: how a value, a quality, an age is said to a person, in both languages."""

from __future__ import annotations

from facility.points import Kind, Label, Point, State
from facility.readings import Quality, Value
from facility.units import symbol
from facility.words import QUALITIES


def quality_label(quality: Quality) -> Label:
    """What people read for a quality."""
    return QUALITIES[quality]


def state_of(point: Point, value: Value) -> State | None:
    """The state that an enum or discrete value stands for, if the point has one."""
    if value is None or isinstance(value, (str, float)):
        return None
    return point.states.get(int(value))


def number_text(value: float) -> str:
    """A number as briefly as it can be told apart: 3 to 4 significant digits, whole above 1000."""
    size = abs(value)
    if value == int(value) and size < 1e15:
        return str(int(value))
    digits = 0 if size >= 1000 else 1 if size >= 100 else 2 if size >= 1 else 3
    return f"{value:.{digits}f}"


def value_text(point: Point, value: Value, language: str) -> str:
    """A value without its unit; an em dash for none."""
    if value is None:
        return "—"
    state = state_of(point, value)
    if state:
        return state.label.to(language)
    if isinstance(value, bool):
        return Label("是", "yes").to(language) if value else Label("否", "no").to(language)
    if isinstance(value, str):
        return value
    if point.kind is Kind.ENUM:
        return f"#{int(value)}"
    return number_text(value)


def value_words(point: Point, value: Value, language: str) -> str:
    """A value with its unit, where it has one."""
    text, unit = value_text(point, value, language), unit_text(point)
    return f"{text} {unit}" if unit and value is not None and not point.states else text


def unit_text(point: Point) -> str:
    """The unit as people read it."""
    return symbol(point.unit)


def age_text(ms: int, language: str) -> str:
    """A span as `12 s`, `3 min`, `5 h`, `2 d`."""
    seconds = max(0, ms) // 1000
    for size, label in ((86_400, Label("天", "d")), (3600, Label("小时", "h")), (60, Label("分钟", "min"))):
        if seconds >= size:
            return f"{seconds // size} {label.to(language)}"
    return f"{seconds} {Label('秒', 's').to(language)}"
