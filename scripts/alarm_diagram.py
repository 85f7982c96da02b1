"""Draw the life of an alarm from its tables: docs/pictures/alarm-states.svg. Run by `make alarm-diagram`.

Only the places of the boxes are chosen here; every arrow and its label is a row of rules/life/alarm.py, so that a
picture which is not what the tables say can't be drawn. A state that has no place is an error.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from html import escape
from pathlib import Path

from facility.points import Label
from facility.words import ALARM_STATES
from rules.life.alarm import PROCESS, SUPPRESSION, Event, State, Suppression

PICTURE = Path(__file__).parent.parent / "docs" / "pictures" / "alarm-states.svg"
WIDTH, HEIGHT = 1240, 980
BOX = (210, 64)
ASIDE = 9
"""How far an arrow lies beside the line between the middles when there is one in the other direction."""

LETTERS = {
    State.NORMAL: "A", State.UNACKNOWLEDGED: "B", State.ACKNOWLEDGED: "C", State.RETURNED: "D",
    State.LATCHED_UNACKNOWLEDGED: "E", State.LATCHED_ACKNOWLEDGED: "F",
    Suppression.SHELVED: "G", Suppression.BY_DESIGN: "H", Suppression.OUT_OF_SERVICE: "I", Suppression.NONE: "",
}  # fmt: skip
PLACES = {
    State.NORMAL: (150, 310), State.UNACKNOWLEDGED: (650, 310), State.ACKNOWLEDGED: (1080, 150),
    State.RETURNED: (400, 200), State.LATCHED_UNACKNOWLEDGED: (650, 470), State.LATCHED_ACKNOWLEDGED: (1080, 470),
    Suppression.NONE: (150, 820), Suppression.SHELVED: (555, 770), Suppression.BY_DESIGN: (555, 920),
    Suppression.OUT_OF_SERVICE: (1080, 820),
}  # fmt: skip
"""The middle of each box."""
BENDS = {
    (State.ACKNOWLEDGED, State.NORMAL): (330, 10), (State.LATCHED_ACKNOWLEDGED, State.NORMAL): (330, 640),
    (Suppression.NONE, Suppression.OUT_OF_SERVICE): (615, 610),
    (Suppression.OUT_OF_SERVICE, Suppression.NONE): (615, 530),
}  # fmt: skip
"""Arrows that go around other boxes, by the point that pulls them aside."""
EVENTS = {
    Event.RAISE: Label("发生", "raise"), Event.CLEAR: Label("恢复", "clear"),
    Event.ACKNOWLEDGE: Label("确认", "acknowledge"), Event.RESET: Label("复位", "reset"),
    Event.SHELVE: Label("搁置", "shelve"), Event.UNSHELVE: Label("解除搁置", "unshelve"),
    Event.SUPPRESS: Label("抑制", "suppress"), Event.RELEASE: Label("解除抑制", "release"),
    Event.REMOVE: Label("停用", "remove"), Event.RETURN: Label("恢复使用", "return"),
}  # fmt: skip
FREE = Label("无抑制", "Not suppressed")
TONES = {
    State.NORMAL: "#e7f2ea", State.UNACKNOWLEDGED: "#fbdcd6", State.ACKNOWLEDGED: "#fdeccb",
    State.RETURNED: "#e4ecf7", State.LATCHED_UNACKNOWLEDGED: "#f1e2f3", State.LATCHED_ACKNOWLEDGED: "#f1e2f3",
    Suppression.NONE: "#e7f2ea",
}  # fmt: skip

Node = State | Suppression
Edge = tuple[Node, Node]
Spot = tuple[float, float]


def edges() -> dict[Edge, list[str]]:
    """What leads from where to where, with its words; what leads nowhere else is not drawn."""
    found: dict[Edge, list[str]] = defaultdict(list)
    for (state, event), (plain, latched) in PROCESS.items():
        for target, how in _targets(plain, latched, "latching 锁定型"):
            if target is not state:
                found[state, target].append(_words(event, how))
    for (suppression, event), (free, inhibited) in SUPPRESSION.items():
        for kept, how in _targets(free, inhibited, "logic 逻辑"):
            if kept is not suppression:
                found[suppression, kept].append(_words(event, how))
    return found


def _targets(first: Node, second: Node, how: str) -> Iterable[tuple[Node, str]]:
    yield first, ""
    if second is not first:
        yield second, how


def _words(event: Event, how: str) -> str:
    label = EVENTS[event]
    return f"{label.en} {label.zh}" + (f" ({how})" if how else "")


def drawn() -> str:
    """The picture as SVG."""
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" '
        "font-family=\"system-ui, 'Noto Sans CJK SC', 'Noto Sans', sans-serif\" font-size=\"15\">",
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
        'orient="auto-start-reverse"><path d="M0 0 10 5 0 10z" fill="#4a5560"/></marker></defs>',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        *_band(20, 560, "Process: is it abnormal, does somebody owe an acknowledgement?  过程状态"),
        *_band(
            595,
            372,
            "Suppression: is it kept quiet? (logic): while the plant itself suppresses it.  抑制",
        ),
    ]
    found = edges()
    for edge, words in found.items():
        parts += _arrow(edge, words, is_double=(edge[1], edge[0]) in found)
    for node in (*State, *Suppression):
        parts += _box(node)
    return "\n".join([*parts, "</svg>", ""])


def _band(top: int, height: int, title: str) -> list[str]:
    return [
        f'<rect x="12" y="{top}" width="{WIDTH - 24}" height="{height}" rx="14" fill="#f7f8fa" stroke="#dde2e7"/>',
        f'<text x="30" y="{top + 28}" fill="#5a6672">{escape(title)}</text>',
    ]


def _box(node: Node) -> list[str]:
    x, y = PLACES[node]
    width, height = BOX
    label = FREE if node is Suppression.NONE else ALARM_STATES[node.value]
    letter = f"{LETTERS[node]}  " if LETTERS[node] else ""
    return [
        f'<rect x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width}" height="{height}" rx="10" '
        f'fill="{TONES.get(node, "#eceff2")}" stroke="#4a5560" stroke-width="1.5"/>',
        f'<text x="{x}" y="{y - 4}" text-anchor="middle" font-weight="600" fill="#1d252c">'
        f"{escape(letter + label.zh)}</text>",
        f'<text x="{x}" y="{y + 18}" text-anchor="middle" font-size="14" fill="#1d252c">{escape(label.en)}</text>',
    ]


def _arrow(edge: Edge, words: list[str], *, is_double: bool) -> list[str]:
    """An arrow from border to border, beside its opposite where there is one; its words on a ground of their own."""
    (x1, y1), (x2, y2) = PLACES[edge[0]], PLACES[edge[1]]
    bend = BENDS.get(edge)
    if bend:
        start, end = _border((x1, y1), bend), _border((x2, y2), bend)
        middle = tuple(
            0.25 * first + 0.5 * pull + 0.25 * last for first, pull, last in zip(start, bend, end, strict=True)
        )
        path, outward = f"Q{bend[0]} {bend[1]}", (0.0, 0.0)
    else:
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        outward = (-(y2 - y1) / length, (x2 - x1) / length) if is_double else (0.0, 0.0)
        aside = (outward[0] * ASIDE, outward[1] * ASIDE)
        start, end = _border((x1, y1), (x2, y2), aside), _border((x2, y2), (x1, y1), aside)
        middle, path = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2), "L"
    line = (
        f'<path d="M{start[0]:.1f} {start[1]:.1f} {path} {end[0]:.1f} {end[1]:.1f}" fill="none" stroke="#4a5560" '
        'stroke-width="1.5" marker-end="url(#tip)"/>'
    )
    return [line, *_label((middle[0], middle[1]), words, outward)]


def _border(middle: Spot, towards: Spot, aside: Spot = (0, 0)) -> Spot:
    """Where the line from the middle of a box, moved aside, leaves it."""
    (x, y), (to_x, to_y), (dx, dy) = middle, towards, aside
    half_width, half_height = BOX[0] / 2, BOX[1] / 2
    vx, vy = to_x - x, to_y - y
    across = (half_width - (dx if vx > 0 else -dx)) / abs(vx) if vx else float("inf")
    along = (half_height - (dy if vy > 0 else -dy)) / abs(vy) if vy else float("inf")
    share = min(across, along)
    return x + dx + vx * share, y + dy + vy * share


def _label(middle: Spot, words: list[str], outward: Spot) -> list[str]:
    """The words at the middle of their arrow, or on the outer side of one that has an opposite."""
    parts = []
    for number, text in enumerate(words):
        width = sum(13.5 if ord(sign) > 0x2E80 else 7.0 for sign in text) + 8
        x = middle[0] + outward[0] * width / 2
        top = middle[1] + outward[1] * 11 + (number - len(words) / 2) * 20
        parts += [
            f'<rect x="{x - width / 2:.1f}" y="{top:.1f}" width="{width:.1f}" height="20" rx="4" fill="#f7f8fa"/>',
            f'<text x="{x:.1f}" y="{top + 15:.1f}" text-anchor="middle" font-size="13.5" fill="#25506e">'
            f"{escape(text)}</text>",
        ]
    return parts


if __name__ == "__main__":
    PICTURE.write_text(drawn(), "utf-8")
