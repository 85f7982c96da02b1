"""A laid-open expression in plain words, Chinese and English. Pure.

`phrase` names a value ("10 分钟内运行压力的平均值"), `claim` says that a condition is true or false ("运行压力低于 0.3
MPa"), `why` gathers the claims that decided it: of `a and b` that is false only those parts that are.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from facility.points import Kind, Label, Point
from facility.units import symbol
from rules.language.terms import Type
from rules.language.trace import Form, Given, Node

_OPERATORS: Mapping[str, tuple[Label, Label]] = {
    "Eq": (Label("为", "is"), Label("不为", "is not")),
    "NotEq": (Label("不为", "is not"), Label("为", "is")),
    "Lt": (Label("低于", "is below"), Label("不低于", "is not below")),
    "LtE": (Label("不高于", "is at most"), Label("高于", "is above")),
    "Gt": (Label("高于", "is above"), Label("不高于", "is not above")),
    "GtE": (Label("不低于", "is at least"), Label("低于", "is below")),
}
_WINDOWS: Mapping[str, Label] = {
    "avg": Label("{x}{span}平均值", "the {span} mean of {x}"),
    "min": Label("{x}{span}最小值", "the {span} minimum of {x}"),
    "max": Label("{x}{span}最大值", "the {span} maximum of {x}"),
    "stddev": Label("{x}{span}标准差", "the {span} standard deviation of {x}"),
    "delta": Label("{x}{span}变化量", "the change of {x} over {span}"),
    "rate": Label("{x}{span}变化率", "the rate of {x} over {span}"),
    "changes": Label("{x}{span}变化次数", "the number of changes of {x} in {span}"),
    "count": Label("{span}内“{x}”的次数", "the number of times in {span} that {x}"),
    "percentile": Label("{x}{span}百分位值", "the {span} percentile of {x}"),
    "p95_of_hour": Label("{x}此时段的常值上限（{span}）", "what is usual for {x} at this hour ({span})"),
    "slope": Label("{x}{span}趋势", "the {span} trend of {x}"),
    "days_to": Label("{x}到达限值的天数（{span}）", "the days until {x} reaches its limit ({span})"),
    "since": Label("距“{x}”的时间", "the time since {x}"),
}
_RELATIONS: Mapping[str, Label] = {
    "upstream": Label("上级设备中“{x}”的台数", "the number of upstream assets where {x}"),
    "members": Label("下级设备中“{x}”的台数", "the number of assets beneath it where {x}"),
    "nearby": Label("同处设备中“{x}”的台数", "the number of assets nearby where {x}"),
}
_QUALITY: Mapping[str, tuple[Label, Label]] = {
    "stale": (Label("{x}没有新数据", "{x} sends nothing new"), Label("{x}数据未过期", "{x} is not stale")),
    "bad": (Label("{x}数据异常", "{x} is of bad quality"), Label("{x}数据质量正常", "{x} is not of bad quality")),
    "no_value": (
        Label("{x}没有有效数值", "{x} gives no valid value"),
        Label("{x}有有效数值", "{x} gives valid values"),
    ),
    "noisy": (Label("{x}跳动过大", "{x} jumps about"), Label("{x}平稳", "{x} does not jump about")),
    "chattering": (Label("{x}频繁变化", "{x} changes to and fro"), Label("{x}未频繁变化", "{x} is calm")),
    "counter_reset": (Label("{x}倒退", "{x} went back"), Label("{x}未倒退", "{x} did not go back")),
    "stuck": (
        Label("{x}应变化而不变", "{x} stands still although it should move"),
        Label("{x}未卡住", "{x} is not stuck"),
    ),
    "not stuck": (Label("{x}已恢复变化", "{x} moves again"), Label("{x}仍未变化", "{x} has not moved yet")),
}
_SIGNS = {"Add": "+", "Sub": "−", "Mult": "×", "Div": "÷", "Mod": "%"}
_SPANS: Mapping[str, Label] = {
    "ms": Label("毫秒", "ms"), "s": Label("秒", "s"), "m": Label("分钟", "min"), "h": Label("小时", "h"),
    "d": Label("天", "d"),
}  # fmt: skip
BIG = 1e15
"""Numbers from here on are told by their magnitude."""
MOST = 4
"""Claims in one sentence; of more than these only how many is said."""


def number(value: float) -> str:
    """A number, as briefly as a person wants it, be it larger than any float."""
    if isinstance(value, int) and abs(value) >= BIG:
        return f"{'-' if value < 0 else ''}10^{math.floor(math.log10(abs(value)))}"
    if not abs(value) < BIG:
        return f"{value:.4g}"
    if value == int(value):
        return str(int(value))
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def with_unit(value: float, unit: str) -> str:
    """A number with its unit as people read it; `unit` may be a rate, such as `Cel/s`."""
    base, ending = unit, ""
    for per in ("/s", "/d"):
        if unit.endswith(per) and len(unit) > len(per):
            base, ending = unit.removesuffix(per), per
    return f"{number(value)} {symbol(base)}{ending}".strip() if unit else number(value)


def value_of(value: Given, point: Point | None, unit: str, language: str) -> str:
    """A value as people read it: its state's name, yes or no, a number with its unit, a dash for unknown."""
    if value is None:
        return "—"
    if point is not None and point.kind in (Kind.ENUM, Kind.DISCRETE) and not isinstance(value, str):
        state = point.states.get(int(value))
        if state is not None:
            return state.label.to(language)
    if isinstance(value, bool):
        return Label("是", "yes").to(language) if value else Label("否", "no").to(language)
    return value if isinstance(value, str) else with_unit(value, unit)


def duration(ms: int, language: str) -> str:
    """A time as `60 s`, `10 min`, `2 h`: in the largest of them that it has two of, or a whole number."""
    seconds = max(0, ms) / 1000
    for size, key in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= 2 * size or (seconds >= size and seconds % size == 0):
            return f"{number(round(seconds / size, 1))} {_SPANS[key].to(language)}"
    return f"{number(round(seconds, 0 if seconds >= 10 else 1))} {_SPANS['s'].to(language)}"


def span(text: str, language: str) -> str:
    """The length of a window, such as '10m', in words."""
    digits = text.rstrip("mshd ")
    label = _SPANS.get(text[len(digits) :].strip())
    return f"{digits} {label.to(language)}" if label else text


def phrase(node: Node, language: str) -> str:
    """A value by its name. A condition is claimed to be true."""
    if node.form is Form.POINT and node.point is not None:
        return claim(node, language) if node.is_truth else node.point.label.to(language)
    if node.form is Form.CONSTANT:
        return value_of(node.value, None, node.unit, language)
    if node.is_truth:
        return claim(node, language)
    if node.form is Form.CALL:
        return _call(node, language)
    if node.form is Form.RELATION:
        inner = claim(node.parts[0].parts[0], language) if node.parts else node.text
        return _RELATIONS[node.name].to(language).format(x=inner)
    if node.form is Form.SUM and len(node.parts) == 2:
        return f" {_SIGNS.get(node.name, '?')} ".join(_bracketed(part, language) for part in node.parts)
    if node.form is Form.SUM:
        return f"−{_bracketed(node.parts[0], language)}"
    if node.form is Form.CHOICE:
        test, then, otherwise = _choice(node)
        form = Label("{then}（若{test}，否则{otherwise}）", "{then} (if {test}, else {otherwise})").to(language)
        return form.format(
            then=phrase(then, language), test=phrase(test, language), otherwise=phrase(otherwise, language)
        )
    return node.text


def claim(node: Node, language: str, *, truth: bool = True) -> str:
    """That this condition is true, or that it is false."""
    match node.form:
        case Form.NOT:
            return claim(node.parts[0], language, truth=not truth)
        case Form.ALL | Form.ANY:
            both = (node.form is Form.ALL) is truth
            word = Label("且", " and ") if both else Label("或", " or ")
            return word.to(language).join(_inside(part, language, truth=truth) for part in node.parts)
        case Form.COMPARE:
            return _comparison(node, language, truth=truth)
        case Form.AMONG:
            return _among(node, language, truth=truth)
        case Form.POINT if node.point is not None:
            return _state(node.point, truth, language)
        case Form.CONSTANT:
            return _is(node.text, bool(node.value) is truth, language)
        case Form.CALL | Form.CHECK:
            return _condition_call(node, language, truth=truth)
        case Form.ASSET:
            sep = Label("：", ": ").to(language)
            return f"{node.name}{sep}{claim(node.parts[0], language, truth=truth)}"
    return _is(node.text, truth, language)


def why(node: Node, language: str) -> str:
    """What decided this condition: the claims that made it true, that keep it false, or that are unknown."""
    found = list(dict.fromkeys(_deciding(node, node.value if node.is_truth else None, language)))
    shown, more = found[:MOST], len(found) - MOST
    text = Label("，且", ", and ").to(language).join(shown)
    if more > 0:
        text += Label(f"，另有 {more} 项", f", and {more} more").to(language)
    return text


def unknown(node: Node) -> list[Node]:
    """The smallest parts that are unknown and make it so: points, windows, rated values."""
    if node.value is not None:
        return []
    below = [item for part in node.parts for item in unknown(part)]
    return below or [node]


def _deciding(node: Node, truth: Given, language: str) -> list[str]:
    if truth is None:
        return [_not_known(item, language) for item in unknown(node)]
    if node.form is Form.NOT:
        return _deciding(node.parts[0], node.parts[0].value, language)
    if node.form in (Form.ALL, Form.ANY):
        return [text for part in node.parts if part.value is truth for text in _deciding(part, truth, language)]
    if node.form is Form.CHOICE:
        test, then, otherwise = _choice(node)
        chosen = then if test.value else otherwise
        return [*_deciding(test, test.value, language), *_deciding(chosen, chosen.value, language)]
    if node.form is Form.CALL and node.name == "votes":
        return [text for part in node.parts if part.value is truth for text in _deciding(part, truth, language)]
    return [claim(node, language, truth=bool(truth)) + _seen(node, language)]


def _seen(node: Node, language: str) -> str:
    """The value that was compared, in brackets; not where the claim says it already."""
    if node.form is not Form.COMPARE:
        return ""
    open_, close = ("（", "）") if language.startswith("zh") else (" (", ")")
    shown = [part for part in node.parts if part.form is not Form.CONSTANT and part.type is Type.NUMBER]
    return "".join(f"{open_}{value_of(part.value, part.point, part.unit, language)}{close}" for part in shown[:1])


def _not_known(node: Node, language: str) -> str:
    name = node.point.label.to(language) if node.point else phrase(node, language)
    if node.form is Form.ASSET:
        name = node.name
    return Label(f"{name}未知", f"{name} is unknown").to(language)


def _comparison(node: Node, language: str, *, truth: bool) -> str:
    names = node.name.split()
    if len(names) > 1:
        return _chain(node, names, language, truth=truth)
    left, right = node.parts
    operator = _OPERATORS[names[0]][not truth].to(language)
    if Type.NUMBER not in (left.type, right.type) and names[0] in ("Eq", "NotEq"):
        return _equality(left, right, (names[0] == "Eq") is truth, language)
    other = _limit(right, left, language)
    if language.startswith("zh") and other[:1].isascii():
        return f"{phrase(left, language)}{operator} {other}"
    return f"{phrase(left, language)}{'' if language.startswith('zh') else ' '}{operator}{_gap(language)}{other}"


def _chain(node: Node, names: Sequence[str], language: str, *, truth: bool) -> str:
    signs = {"Lt": "<", "LtE": "≤", "Gt": ">", "GtE": "≥", "Eq": "=", "NotEq": "≠"}
    text = phrase(node.parts[0], language)
    for name, part in zip(names, node.parts[1:], strict=True):
        text += f" {signs[name]} {phrase(part, language)}"
    return text if truth else Label(f"{text} 不成立", f"it is not so that {text}").to(language)


def _equality(left: Node, right: Node, equal: bool, language: str) -> str:
    if left.form is Form.CONSTANT:
        left, right = right, left
    point = left.point
    if point is not None and right.form is Form.CONSTANT and isinstance(right.value, bool):
        return _state(point, right.value is equal, language)
    name = point.label.to(language) if point else phrase(left, language)
    return _joined(name, _limit(right, left, language), equal, language)


def _among(node: Node, language: str, *, truth: bool) -> str:
    left, *members = node.parts
    positive = truth is (node.name == "In")
    name = left.point.label.to(language) if left.point else phrase(left, language)
    words = Label("或", " or ").to(language).join(_limit(member, left, language) for member in members)
    return _joined(name, words, positive, language)


def _limit(node: Node, beside: Node, language: str) -> str:
    """What a value is compared with: a state's name, a number in the other side's unit, or another value's name."""
    if node.form is not Form.CONSTANT and not (_is_fixed(node) and isinstance(node.value, float)):
        return phrase(node, language)
    point = beside.point
    if point is not None and isinstance(node.value, str):
        state = point.state(node.value)
        return state.label.to(language) if state else node.value
    if isinstance(node.value, float) and beside.type is Type.STATE:
        return value_of(int(node.value), point, "", language)
    return value_of(node.value, None, node.unit or beside.unit, language)


def _inside(node: Node, language: str, *, truth: bool) -> str:
    """A claim inside `and` or `or`; in brackets where it is such a one itself."""
    text = claim(node, language, truth=truth)
    if node.form not in (Form.ALL, Form.ANY):
        return text
    return f"（{text}）" if language.startswith("zh") else f"({text})"


def _is_fixed(node: Node) -> bool:
    """Whether it is worked out from numbers and rated values alone."""
    return all(part.form in (Form.CONSTANT, Form.SUM) or part.name == "rated" for part in node.walk())


def _state(point: Point, truth: bool, language: str) -> str:
    state = point.states.get(int(truth))
    name = point.label.to(language)
    return _joined(name, state.label.to(language), True, language) if state else _is(name, truth, language)


def _joined(name: str, value: str, equal: bool, language: str) -> str:
    value = value or Label("空", "empty").to(language)
    if equal and name.lower().endswith(value.lower()):
        return name  # "Earth fault is Fault"
    if language.startswith("zh"):
        return f"{name}{'为' if equal else '不为'}{value}"
    return f"{name} {'is' if equal else 'is not'} {value}"


def _is(name: str, truth: bool, language: str) -> str:
    if language.startswith("zh"):
        return f"{name}成立" if truth else f"{name}不成立"
    return f"{name} holds" if truth else f"{name} does not hold"


def _condition_call(node: Node, language: str, *, truth: bool) -> str:
    if node.name in _QUALITY:
        name = node.point.label.to(language) if node.point else node.text
        return _QUALITY[node.name][not truth].to(language).format(x=name)
    if node.name == "held":
        inner, length = claim(node.parts[0], language), span(node.span, language)
        if truth:
            return Label(f"{inner}已持续 {length}", f"{inner} for {length}").to(language)
        return Label(f"{inner}未持续满 {length}", f"{inner} has not lasted for {length}").to(language)
    if node.name == "votes":
        inner = Label("、", ", ").to(language).join(claim(part, language) for part in node.parts)
        least = node.text.removeprefix("votes(").split(",", 1)[0]
        many = Label(f"至少 {least} 项：{inner}", f"at least {least} of: {inner}")
        few = Label(f"不足 {least} 项：{inner}", f"fewer than {least} of: {inner}")
        return (many if truth else few).to(language)
    return _is(node.text, truth, language)


def _call(node: Node, language: str) -> str:
    inner = [phrase(part, language) for part in node.parts]
    if (node.span and node.name in _WINDOWS) or node.name == "since":
        length = span(node.span, language)
        if language.startswith("zh") and node.name not in ("count", "p95_of_hour", "days_to"):
            length = f" {length}"
        return _WINDOWS[node.name].to(language).format(x=inner[0] if inner else node.text, span=length).strip()
    if node.name == "rated":
        key = node.text.removeprefix("rated(").rstrip(")").split(",")[0].strip("'\" ")
        shown = "" if node.value is None else f" {value_of(node.value, None, node.unit, language)}"
        return Label(f"额定值 {key}{shown}", f"the rated {key}{shown}").to(language)
    if node.name in ("min", "max"):
        word = Label("最小者", "the least of") if node.name == "min" else Label("最大者", "the greatest of")
        listed = Label("、", ", ").to(language).join(inner)
        return f"{listed}中的{word.zh}" if language.startswith("zh") else f"{word.en} {listed}"
    if node.name == "abs" and inner:
        return f"|{inner[0]}|"
    return node.text


def _bracketed(node: Node, language: str) -> str:
    text = phrase(node, language)
    return f"({text})" if node.form is Form.SUM else text


def _choice(node: Node) -> tuple[Node, Node, Node]:
    """Test, then, otherwise: Python's tree has the test first."""
    test, then, otherwise = node.parts
    return test, then, otherwise


def _gap(language: str) -> str:
    return "" if language.startswith("zh") else " "
