"""The simulated hardware's page: what there is, what is wrong with it, and the buttons that make it so.

It exists only where the hardware is simulated. A subject is chosen by its address; its faults and acts stand beside the
list, and what is on stands above both, whoever began it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from nicegui import ui

from api.auth import Action, User
from api.console.frame import Frame
from api.console.marks import Look, Text, box, link
from api.console.visitor import Visitor
from api.present import age_text
from api.simulation import label_of, points_of
from facility.hardware import Act, Control, Fault, On, Param, Running, Subject
from facility.points import Label
from facility.units import symbol

UNTIL_ENDED = 0.0
"""In the field for the length: until somebody ends it."""
KINDS: Mapping[On, Label] = {
    On.DEVICE: Label("通信线路", "Wires"),
    On.GATEWAY: Label("网关", "Gateways"),
    On.BROKER: Label("消息总线", "Broker"),
}


class RunningList:
    """The faults that are on, with a button to end each that was begun by hand."""

    def __init__(self, visitor: Visitor, control: Control) -> None:
        self._visitor, self._control = visitor, control
        self._rows: dict[tuple[On, str, str, str], tuple[Look, Text]] = {}
        self._crashed: set[str] = set()
        with box("running panel"):
            ui.label(visitor.say("faults_on")).classes("heading")
            self._none = Text("quiet-words", visitor.say("no_faults"))
            self._list = box("list")

    def show(self) -> None:
        """Show what is on now."""
        found = {(item.on, item.subject, item.name, item.point): item for item in self._control.running()}
        for gone in self._rows.keys() - found.keys():
            self._rows.pop(gone)[0].element.delete()
        for key, item in found.items():
            if key not in self._rows:
                self._rows[key] = self._row(item)
            age, say = age_text(round(item.age * 1000), self._visitor.language), self._visitor.say
            left = "" if item.left is None else age_text(round(item.left * 1000), self._visitor.language)
            self._rows[key][1].show(say("on_for", age=age) if item.left is None else say("on_left", age=age, left=left))
        for device in self._control.crashed.keys() - self._crashed:
            self._crashed.add(device)
            self._broken_row(device, self._control.crashed[device])
        self._none.show("" if found or self._crashed else self._visitor.say("no_faults"))

    def _broken_row(self, device: str, why: str) -> None:
        """A device whose simulation broke down, which is our mistake and nobody's fault; it stays until a new start."""
        with self._list, box("fault-on") as element:
            element.props["data-crashed"] = device
            Text("id", device)
            Text("name", self._visitor.say("crashed"))
            Text("when", why)

    def _row(self, item: Running) -> tuple[Look, Text]:
        visitor = self._visitor
        with self._list, box("fault-on") as element:
            element.props["data-fault"] = f"{item.subject} {item.name}"
            Text("id", item.subject)
            Text("name", visitor.to(label_of(item, self._control)) + (f" · {item.point}" if item.point else ""))
            when = Text("when")
            if not item.by_hand:
                Text("when", visitor.say("of_scenario"))
            elif visitor.may(Action.SIMULATE):
                _button(visitor.say("end_fault"), "end", self._ending(item))
        return Look(element), when

    def _ending(self, item: Running) -> Callable[[], Awaitable[None]]:
        async def do(_user: User) -> None:
            self._control.end(item.on, item.subject, item.name, point=item.point)

        async def press() -> None:
            await self._visitor.act(Action.SIMULATE, do)
            self.show()

        return press


class Form:
    """One fault or act of the chosen subject: its params, and the button."""

    def __init__(self, visitor: Visitor, control: Control, subject: Subject, deed: Fault | Act) -> None:
        self._visitor, self._control, self._subject, self._deed = visitor, control, subject, deed
        self._point: ui.select | None = None
        self._length: ui.number | None = None
        with box("deed") as element:
            element.props["data-deed"] = deed.name
            with box("first"):
                if isinstance(deed, Fault):
                    Text("signature", deed.id)
                Text("name", visitor.to(deed.label))
            with box("fields"):
                self._choose_point()
                self._params = {name: self._number(param) for name, param in deed.params.items()}
                if isinstance(deed, Fault):
                    label = visitor.say("length_field")
                    self._length = ui.number(label, value=UNTIL_ENDED, min=0, max=deed.lasts * 10)
            if visitor.may(Action.SIMULATE):
                key = "begin_fault" if isinstance(deed, Fault) else "do_act"
                _button(visitor.say(key), "main begin", self._press)

    def _choose_point(self) -> None:
        if isinstance(self._deed, Fault) and self._deed.points:
            keys = points_of(self._deed, self._subject)
            self._point = ui.select(keys, label=self._visitor.say("point"), with_input=True)

    def _number(self, param: Param) -> ui.number:
        unit = symbol(param.unit)
        label = self._visitor.to(param.label) + (f" ({unit})" if unit else "")
        return ui.number(label, value=param.default, min=param.low, max=param.high)

    async def _press(self) -> None:
        params = {name: float(field.value) for name, field in self._params.items() if field.value is not None}
        point = str(self._point.value or "") if self._point else ""
        lasts = float(self._length.value or UNTIL_ENDED) if self._length else UNTIL_ENDED
        subject, deed = self._subject, self._deed

        async def do(_user: User) -> None:
            if isinstance(deed, Fault):
                self._control.begin(
                    subject.on, subject.id, deed.name, point=point, params=params, lasts=lasts or None
                )  # fmt: skip
            else:
                self._control.act(subject.on, subject.id, deed.name, params=params)

        await self._visitor.act(Action.SIMULATE, do)


async def hardware_page(visitor: Visitor, control: Control, on: str, name: str) -> None:
    """Build the page for one chosen subject and keep it fresh."""
    frame = Frame(visitor, "hardware")
    chosen = control.subjects.get((On(on), name)) if on in set(On) else None
    with box("hardware", "main"):
        running = RunningList(visitor, control)
        with box("subjects panel", "nav"):
            _subjects(visitor, control, chosen)
        with box("deeds"):
            if chosen is None:
                Text("empty", visitor.say("choose_subject"))
            else:
                _deeds(visitor, control, chosen)
    await frame.start(running.show)


def _subjects(visitor: Visitor, control: Control, chosen: Subject | None) -> None:
    """Links to every subject, assets by class, then the wires, gateways and the broker."""
    groups: dict[str, list[Subject]] = {}
    for subject in control.subjects.values():
        asset = visitor.deps.site.assets.get(subject.id) if subject.on is On.ASSET else None
        label = visitor.deps.catalog.classes[asset.asset_class].label if asset else KINDS[subject.on]
        groups.setdefault(visitor.to(label), []).append(subject)
    for title, subjects in groups.items():
        ui.label(title).classes("heading")
        for subject in sorted(subjects, key=lambda item: item.id):
            asset = visitor.deps.site.assets.get(subject.id) if subject.on is On.ASSET else None
            here = "here" if chosen is subject else ""
            with link(f"subject {here}", f"/console/hardware?on={subject.on}&subject={subject.id}"):
                Text("id", subject.id)
                Text("label", visitor.to(asset.label) if asset else "")


def _deeds(visitor: Visitor, control: Control, subject: Subject) -> None:
    own = [fault for fault in subject.faults.values() if fault.on is not On.POINT]
    of_points = [fault for fault in subject.faults.values() if fault.on is On.POINT]
    groups: Mapping[str, Sequence[Fault | Act]] = {
        "faults_of": own, "faults_of_points": of_points, "acts_of": [*subject.acts.values()],
    }  # fmt: skip
    for key, deeds in groups.items():
        if deeds:
            ui.label(visitor.say(key, id=subject.id)).classes("heading")
            with box("grid"):
                for deed in sorted(deeds, key=lambda item: item.id if isinstance(item, Fault) else item.name):
                    Form(visitor, control, subject, deed)


def _button(text: str, look: str, press: Callable[[], Awaitable[None]]) -> None:
    with ui.element("button").classes(f"button {look}").on("click", press):
        ui.label(text)
