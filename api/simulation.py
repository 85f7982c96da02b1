"""Routes: the simulated hardware, where there is any: what can go wrong with it, what is wrong, begin it, end it.

An installation that watches real equipment has none of these: every route answers 404.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from api.auth import Action
from api.deps import DepsOf, Reader, may
from api.problems import ApiError, refused
from api.schemas import Name, Rows, Shape, refusals
from facility.hardware import Act, Control, Fault, On, Param, Running, Subject
from facility.points import Label

router = APIRouter(tags=["simulation"])
MAX_PARAMS = 16
MAX_SECONDS = 2 * 366 * 86_400
MAX_POINT = 100

Point = Annotated[str, Field(max_length=MAX_POINT, description="the point that a fault of one point befalls")]
Params = Annotated[dict[str, float], Field(max_length=MAX_PARAMS)]


class SubjectRow(Shape):
    """Something that can be acted upon. `running`: its faults that are on.

    `crashed`: why its simulation broke down, if it has; it answers no more.
    """

    on: On
    id: str = Field(examples=["EL-01"])
    zh: str
    en: str
    asset_class: str
    faults: int
    acts: int
    running: int
    crashed: str | None


class ParamRow(Shape):
    """A number that shapes a fault or an act, in `unit` (UCUM)."""

    name: str
    default: float
    unit: str
    low: float
    high: float
    zh: str
    en: str


class FaultRow(Shape):
    """A fault that can begin. `signature` is its number in the documentation, `seconds` its whole time course.

    `points`: those that a fault of one point can befall.
    """

    name: str = Field(examples=["entrapment"])
    signature: str
    zh: str
    en: str
    seconds: float
    params: list[ParamRow]
    points: list[str]


class ActRow(Shape):
    """Something that a person does to the equipment."""

    name: str
    zh: str
    en: str
    params: list[ParamRow]


class SubjectOut(Shape):
    """One subject with everything that can be done to it."""

    on: On
    id: str
    faults: list[FaultRow]
    acts: list[ActRow]


class RunningRow(Shape):
    """A fault that is on. `age`, `left`: seconds of the hardware's time; `left` null until somebody ends it."""

    on: On
    subject: str
    fault: str
    point: str
    zh: str
    en: str
    age: float
    left: float | None
    by_hand: bool


class Begin(Shape):
    """A fault to begin. Without `seconds` it stays until it is ended."""

    on: On = On.ASSET
    subject: Name
    fault: str = Field(max_length=64, examples=["entrapment"])
    point: Point = ""
    params: Params = {}
    seconds: float | None = Field(default=None, gt=0, le=MAX_SECONDS)


class End(Shape):
    """A fault to end."""

    on: On = On.ASSET
    subject: Name
    fault: str = Field(max_length=64)
    point: Point = ""


class Deed(Shape):
    """An act to be done."""

    on: On = On.ASSET
    subject: Name
    act: str = Field(max_length=64)
    params: Params = {}


def hardware(deps: DepsOf) -> Control:
    """The simulated hardware; 404 where the equipment is real."""
    if deps.hardware is None:
        raise ApiError(404, Label("此系统监护的是真实设备，没有模拟", "This installation watches real equipment"))
    return deps.hardware


HardwareOf = Annotated[Control, Depends(hardware)]
_MAY = Depends(may(Action.SIMULATE))


@router.get("/simulation", summary="What can be acted upon", responses=refusals(404))
async def subjects(deps: DepsOf, control: HardwareOf, _: Reader) -> Rows[SubjectRow]:
    """Every simulated asset and device, the gateways and the broker where they can be disturbed."""
    running = [(item.on, item.subject) for item in control.running()]
    rows = []
    for (on, name), subject in control.subjects.items():
        asset = deps.site.assets.get(name)
        label = asset.label if asset else Label(name, name)
        rows.append(
            SubjectRow(
                on=on,
                id=name,
                zh=label.zh,
                en=label.en,
                asset_class=asset.asset_class if asset and on is On.ASSET else "",
                faults=len(subject.faults),
                acts=len(subject.acts),
                running=running.count((on, name)),
                crashed=control.crashed.get(name),
            )
        )
    return Rows(items=rows)


@router.get("/simulation/subject", summary="What can be done to one of them", responses=refusals(404))
async def subject(
    control: HardwareOf, _: Reader, name: Annotated[Name, Query(alias="subject")], on: Annotated[On, Query()] = On.ASSET
) -> SubjectOut:
    """Its faults and acts, with their params."""
    found = control.subjects.get((on, name))
    if found is None:
        raise ApiError(404, Label(f"没有可模拟的对象 {name!r}", f"There is no simulated {on} {name!r}"))
    return SubjectOut(
        on=on,
        id=name,
        faults=[_fault(fault, found) for fault in found.faults.values()],
        acts=[_act(act) for act in found.acts.values()],
    )


@router.get("/simulation/running", summary="The faults that are on", responses=refusals(404))
async def running(control: HardwareOf, _: Reader) -> Rows[RunningRow]:
    """Those begun by hand and those of a scenario, the oldest first."""
    return Rows(items=[_running(item, control) for item in control.running()])


@router.post(
    "/simulation/begin", summary="Begin a fault", status_code=204, responses=refusals(404), dependencies=[_MAY]
)
async def begin(control: HardwareOf, body: Begin) -> None:
    """It ends by itself after `seconds` of the hardware's time, or when it is ended."""
    with refused():
        control.begin(
            body.on, body.subject, body.fault, point=body.point, params=body.params, lasts=body.seconds
        )  # fmt: skip


@router.post("/simulation/end", summary="End a fault", status_code=204, responses=refusals(404), dependencies=[_MAY])
async def end(control: HardwareOf, body: End) -> None:
    """Only what was begun by hand; a scenario ends its own."""
    with refused():
        control.end(body.on, body.subject, body.fault, point=body.point)


@router.post("/simulation/act", summary="Do something", status_code=204, responses=refusals(404), dependencies=[_MAY])
async def act(control: HardwareOf, body: Deed) -> None:
    """What a person does to the equipment: press, reset, swipe a card."""
    with refused():
        control.act(body.on, body.subject, body.act, params=body.params)


def points_of(fault: Fault, subject: Subject) -> list[str]:
    """The points of a subject that a fault of one point can befall."""
    return [key for key, kind in subject.points.items() if kind in fault.points]


def _params(params: dict[str, Param]) -> list[ParamRow]:
    return [
        ParamRow(
            name=name, default=one.default, unit=one.unit, low=one.low, high=one.high, zh=one.label.zh, en=one.label.en
        )
        for name, one in params.items()
    ]


def _fault(fault: Fault, subject: Subject) -> FaultRow:
    return FaultRow(
        name=fault.name,
        signature=fault.id,
        zh=fault.label.zh,
        en=fault.label.en,
        seconds=fault.lasts,
        params=_params(dict(fault.params)),
        points=points_of(fault, subject),
    )


def _act(item: Act) -> ActRow:
    return ActRow(name=item.name, zh=item.label.zh, en=item.label.en, params=_params(dict(item.params)))


def label_of(item: Running, control: Control) -> Label:
    """What a running fault is called."""
    return control.subjects[item.on, item.subject].faults[item.name].label


def _running(item: Running, control: Control) -> RunningRow:
    label = label_of(item, control)
    return RunningRow(
        on=item.on,
        subject=item.subject,
        fault=item.name,
        point=item.point,
        zh=label.zh,
        en=label.en,
        age=round(item.age, 1),
        left=None if item.left is None else round(item.left, 1),
        by_hand=item.by_hand,
    )
