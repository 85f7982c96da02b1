"""Why an alarm of the fire linkage or of the coverage rang: from the run's record, in both languages."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from facility.points import Label
from facility.readings import Quality, Sample, Value
from rules.book.compiled import Rulebook
from rules.coverage import Coverage
from rules.explain.linkage import CAME, CAUSES, Came
from rules.linkage.alarms import UNKNOWN
from rules.records.rule_texts import note_versions
from tests.api.house import House
from tests.api.linkage_story import Story, fire

S = 1000


async def get(client: httpx.AsyncClient, house: House, path: str) -> Any:
    answer = await client.get(f"/api/v1/{path}", headers=house.auth("viewer"))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_what_did_not_come_in_a_fire(house: House, client: httpx.AsyncClient) -> None:
    story = Story(house)
    await fire(story)
    await story.pass_to(60)
    house.clock.at = story.start + 60 * S
    alarm = await story.alarm("fire_alarm.smoke_fan_failed")
    found = await get(client, house, f"alarms/{alarm}/explain")
    assert found["rule"]["version"]
    assert len(found["rule"]["version"]) == 12
    then = found["then"]
    assert [note["code"] for note in then["notes"]] == []
    assert then["verdict"] == "active"
    seen = then["linkage"]
    assert (seen["cause"], seen["effect"], seen["limit"], seen["verdict"]) == ("zone", 8, 15.0, "failed")
    assert seen["verdict_zh"] == "未动作"
    (proof,) = seen["proofs"]
    (condition,) = proof["conditions"]
    assert (condition["verdict"], condition["held_at"]) == ("missing", None)
    assert condition["tree"]["truth"] == "false"
    (reading,) = condition["readings"]
    assert (reading["point"], reading["quality"], reading["value"], reading["age"]) == (
        "fan.smoke_run",
        "good",
        False,
        5,
    )
    assert (seen["command"]["verdict"], seen["command"]["seconds"]) == ("in_time", 0.0)
    assert "六层" in then["sentence_zh"]
    assert "到期未到位" in then["sentence_zh"]
    assert "Smoke extraction has 15 s to come: FAILED" in then["sentence_en"]
    assert "5 s old" in then["sentence_en"]
    assert "{" not in then["sentence_zh"] + then["sentence_en"]
    coming = {item["code"]: item for item in found["next"]}
    assert {"by_hand", "effect_late", "fire_reset", "acknowledge", "latches"} <= set(coming)
    assert coming["by_hand"]["zh"] == "人工处置：派人手动处置"
    assert found["now"]["linkage"]["proofs"][0]["conditions"][0]["readings"][0]["age"] == 40


async def test_what_could_not_be_seen_and_what_came_late(house: House, client: httpx.AsyncClient) -> None:
    story = Story(house)
    await fire(story)
    await story.pass_to(110)
    lifts = await get(client, house, f"alarms/{await story.alarm(UNKNOWN)}/explain")
    condition = lifts["then"]["linkage"]["proofs"][0]["conditions"][0]
    assert (condition["verdict"], condition["readings"][0]["quality"]) == ("unseen", "sensor")
    assert "传感器故障" in lifts["then"]["sentence_zh"]
    alarm = await story.alarm("fire_alarm.smoke_fan_failed")
    await story.tell(115, {"fan.smoke_run": True})
    await story.pass_to(120)
    house.clock.at = story.start + 120 * S
    found = await get(client, house, f"alarms/{alarm}/explain")
    now, then = found["now"]["linkage"], found["then"]["linkage"]
    assert (then["verdict"], then["proofs"][0]["conditions"][0]["verdict"]) == ("failed", "missing")
    assert (now["verdict"], now["proofs"][0]["conditions"][0]["verdict"]) == ("late", "late")
    assert now["proofs"][0]["conditions"][0]["seconds"] == 105.0
    assert found["now"]["verdict"] == "watching"
    assert then["proofs"][0]["conditions"][0]["readings"][0]["age"] is None  # it came after that instant
    assert "by_hand" not in {item["code"] for item in found["next"]}
    early = await get(client, house, f"alarms/{alarm}/explain?at={story.start + 15 * S}")
    assert early["then"]["linkage"]["verdict"] == "pending"
    assert early["then"]["linkage"]["proofs"][0]["conditions"][0]["verdict"] == "waiting"


async def test_it_is_explained_still_when_the_matrix_has_changed(house: House, client: httpx.AsyncClient) -> None:
    story = Story(house)
    await fire(story)
    await story.pass_to(60)
    alarm = await story.alarm("fire_alarm.smoke_fan_failed")
    before = await get(client, house, f"alarms/{alarm}/explain")
    house.deps.explainer._book = Rulebook({})
    after = await get(client, house, f"alarms/{alarm}/explain")
    assert after["rule"] == before["rule"]
    assert after["then"] == before["then"]
    kept = await get(client, house, f"rules/{after['rule']['id']}/versions/{after['rule']['version']}")
    assert kept["text"]["definition"]["limit_s"] == 15


async def test_what_acted_although_nothing_burns_is_drawn_as_a_rule(house: House, client: httpx.AsyncClient) -> None:
    story = Story(house)
    await story.quiet()
    await story.tell(30, {"fan.smoke_run": True})
    await story.pass_to(40)
    house.clock.at = story.start + 40 * S
    found = await get(client, house, f"alarms/{await story.alarm('fire_alarm.linkage_unexpected')}/explain")
    then = found["then"]
    assert (then["linkage"], then["verdict"], then["when"]["truth"]) == (None, "active", "true")
    assert then["when"]["text"] == "fan.smoke_run and (not panel.fire)"
    assert (then["timers"]["on_delay"], found["rule"]["version"] != "") == (3.0, True)


async def test_a_feedback_that_stays_bad_while_nothing_burns(house: House, client: httpx.AsyncClient) -> None:
    story = Story(house)
    await story.quiet()
    await story.tell(10, {"link.lift_recall_feedback": None})
    await story.pass_to(100)
    house.clock.at = story.start + 100 * S
    found = await get(client, house, f"alarms/{await story.alarm(UNKNOWN)}/explain")
    then = found["then"]
    assert (then["linkage"], then["verdict"]) == (None, "active")
    (reading,) = then["inputs"]
    assert (reading["point"], reading["quality"]) == ("link.lift_recall_feedback", "sensor")
    assert then["sentence_zh"].startswith("没有火警，但反馈读数持续无效")
    assert "sensor fault, 61 s old" in then["sentence_en"] or "1 min old" in then["sentence_en"]


async def test_what_coverage_missed(house: House, client: httpx.AsyncClient) -> None:
    deps = house.deps
    coverage = Coverage(deps.site, deps.catalog)
    deps.explainer._book = Rulebook({})
    await note_versions(deps.records, deps.site.id, (), house.clock.ms(), beside=coverage.rules)
    keys = next(iter(coverage._systems["FA-01"].slots)), "panel.fire"
    start = house.clock.ms()
    raised = []
    for second in range(0, 700, 5):
        values: dict[str, Value] = {key: None if key == keys[0] else 0 for key in coverage._systems["FA-01"].slots}
        sample = Sample("FA-01", start + second * S, values, {keys[0]: Quality.SENSOR})
        if second % 60 == 0:
            await house.publish(sample)
        coverage.take(sample)
        raised += [item for item in coverage.on_tick(start + second * S) if item.asset == "FA-01"]
    house.clock.at = start + 700 * S
    await deps.records.apply(raised, house.routing, house.clock.ms())
    (row,) = (await deps.records.alarms(asset="FA-01")).items
    found = await get(client, house, f"alarms/{row.id}/explain")
    assert found["rule"]["version"] == row.rule_version != ""
    (reading,) = found["then"]["inputs"]
    assert (reading["point"], reading["quality"]) == (keys[0], "sensor")
    assert "% of its points have readings to be believed" in found["then"]["sentence_en"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_word_is_there(language: str) -> None:
    assert set(CAME) == set(Came)
    words: list[Label] = [*CAME.values(), *CAUSES.values()]
    assert all(label.to(language) for label in words)
