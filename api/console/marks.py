"""The small things that all screens are made of: texts that change, severities, and values with their quality."""

from __future__ import annotations

from dataclasses import dataclass

from nicegui import ui
from nicegui.element import Element

from api.console.texts import say
from api.present import age_text, quality_label, unit_text, value_text
from facility.points import Point
from facility.readings import Quality, Reading
from facility.words import ALARM_MARKS, SEVERITIES
from rules.life.alarm import Suppression
from rules.life.rows import AlarmRow
from rules.notification.notify import is_guarded


class Text(ui.label):
    """A label that is sent to the browser only when its text or its look (its changing CSS classes) changed."""

    def __init__(self, fixed: str = "", text: str = "", look: str = "") -> None:
        super().__init__(text)
        self._look = look
        self.classes(f"{fixed} {look}")

    def show(self, text: str, look: str = "") -> None:
        """Set text and look."""
        if text != self.text:
            self.set_text(text)
        if look != self._look:
            self.classes(add=look, remove=self._look)
            self._look = look


class Look:
    """The changing CSS classes of any element."""

    def __init__(self, element: Element, look: str = "") -> None:
        self.element = element
        self._look = look
        element.classes(look)

    def show(self, look: str) -> None:
        """Set them; nothing is sent when they are the same."""
        if look != self._look:
            self.element.classes(add=look, remove=self._look)
            self._look = look


def box(classes: str = "", tag: str = "div") -> Element:
    """A bare element to put others into."""
    return ui.element(tag).classes(classes)


def link(classes: str, target: str) -> Element:
    """A link to put others into. `target` is an address that we made ourselves."""
    element = ui.element("a").classes(classes)
    element.props["href"] = target
    return element


def severity_mark(severity: int, language: str, *, word: bool = True) -> Element:
    """Shape, colour and word of a severity: triangle, diamond, square, circle, so that no one needs to see colours."""
    with box(f"severity s{severity}") as element:
        box("shape")
        if word:
            ui.label(SEVERITIES[severity].to(language))
    return element


def marks(row: AlarmRow, language: str) -> None:
    """What an alarm is beside its state: part of a drill, stale, chattering."""
    if row.drill:
        Text("mark drill", say("drill_alarm", language))
    for key, since in (("stale", row.stale_at), ("chattering", row.chattering_since)):
        if since is not None:
            Text(f"mark {key}", ALARM_MARKS[key].to(language))


def is_loud(row: AlarmRow) -> bool:
    """Life safety that is out of service: nobody would be told, so that everybody must see it."""
    return is_guarded(row) and row.suppression is Suppression.OUT_OF_SERVICE


@dataclass(frozen=True, slots=True)
class Shown:
    """A value as it stands on a screen: its text with the unit, its look, and why it is not to be trusted."""

    text: str
    look: str
    mark: str


def shown(point: Point, reading: Reading | None, now: int, language: str) -> Shown:
    """How a reading is shown at `now` (ms). Looks: live, stale (struck through, its age), bad (a dash), missing."""
    if reading is None:
        return Shown("—", "missing", say("no_data", language))
    text = value_text(point, reading.value, language)
    unit = unit_text(point)
    if reading.value is not None and unit and not point.states:
        text = f"{text} {unit}"
    if reading.quality is Quality.GOOD:
        return Shown(text, "live", "")
    if reading.quality is Quality.STALE:
        return Shown(text, "stale", say("old", language, age=age_text(now - reading.at, language)))
    return Shown(text, "bad", quality_label(reading.quality).to(language))
