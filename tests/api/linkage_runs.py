"""A linkage run for the house of the API's tests: a good one, one that is going on, with something of every verdict."""

from __future__ import annotations

from facility.points import Label
from facility.readings import Value
from rules.language.expression import compile_expression
from rules.linkage.matrix import Effect, Matrix, Proof, Term, Zone
from rules.linkage.run import Run, begin
from rules.records.linkage_runs import keep_runs
from tests.api.house import NOW, House

TEXTS = {
    3: ("emergency_lighting", Label("应急照明", "Emergency lighting"), "link.emergency_lighting"),
    4: ("lift_recall", Label("电梯迫降", "Lifts recalled"), "link.lift_recall_feedback"),
    6: ("door_release", Label("门禁释放", "Doors released"), "link.door_release_feedback"),
    8: ("smoke_fan", Label("排烟", "Smoke extraction"), "fan.smoke_run"),
    14: ("power_shed", Label("切除非消防电源", "Non-fire power cut"), "link.power_shed_feedback"),
}
LIMIT_S = {3: 5, 4: 90, 6: 15, 8: 15, 14: 60}


def a_matrix(house: House) -> Matrix:
    """Five effects of the panel FA-01; there are no cameras."""
    panel = house.deps.catalog.classes["fire_alarm"]

    def effect(number: int) -> Effect:
        name, label, when = TEXTS[number]
        condition = compile_expression(when, panel)
        proof = Proof((Term("FA-01", condition, LIMIT_S[number] * 1000),), 1)
        action = Label("派人手动处置", "=Send somebody")
        return Effect(number, name, label, label, action, "GB 50116", LIMIT_S[number] * 1000, (proof,))

    none = Effect(17, "cameras", Label("摄像机", "Cameras"), Label("无", "None"), Label("看", "Look"), "GB", 0,
                  excused=Label("没有摄像机", "There are no cameras"))  # fmt: skip
    fire = compile_expression("panel.fire", panel)
    zone = Zone(6, Label("六层", "Floor 6"), fire)
    return Matrix("FA-01", fire, None, (zone,), (*(effect(number) for number in TEXTS), none))


def a_run(house: House, t0: int = NOW - 70_000, *, run_id: str = "L1") -> Run:
    """Confirmed 70 s ago: lighting and doors in time, the fan too late, power missing, the lifts still awaited."""
    run = begin(a_matrix(house), run_id=run_id, site=house.deps.site.id, zone=6, t0=t0, cause="zone")
    came: dict[int, float] = {3: 2.0, 6: 4.0, 8: 30.0}
    for record in run.effects:
        for term in record.terms:
            note: tuple[Value, str, int] = (False, "good", t0)
            term.note(False, t0, {term.text: note})
            if record.number in came:
                at = t0 + round(came[record.number] * 1000)
                term.note(True, at, {term.text: (True, "good", at)})
    run.advance(t0 + 70_000)
    return run


async def keep(house: House, *runs: Run) -> None:
    """As the rules write them."""
    async with house.deps.records.writing() as connection:
        await keep_runs(connection, runs=runs, at=house.clock.ms())
