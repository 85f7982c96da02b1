"""What a gateway says of itself becomes readings of its asset; silence counts as offline."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.catalog import load_catalog
from facility.errors import DecodeError
from facility.points import Kind
from facility.presence import SILENT_MS, Presence
from facility.readings import Quality, Sample
from facility.selfwatch import MEASURED
from facility.wire import DeviceStatus, Status, encode, status_topic
from rules.gateway_health import MAX_NUMBER, POINTS, SHEDDING_MS, GatewayHealth

T0 = 1_700_000_000_000
TOPIC = status_topic("s1", "gw-1")
POINT = load_catalog().classes["gateway"].points
TYPES: dict[Kind, tuple[type, ...]] = {
    Kind.ANALOG: (int, float),
    Kind.COUNTER: (int, float),
    Kind.DISCRETE: (bool,),
    Kind.TEXT: (str,),
}


def a_status(**changes: object) -> Status:
    given: dict[str, object] = {"online": True, "boot": "b1", "at": T0, "spool_limit": 1000} | changes
    return Status(**given)  # type: ignore[arg-type]


def heard(health: GatewayHealth, status: Status, now: int, *, retained: bool = False) -> Sample:
    sample = health.hear(TOPIC, encode(status), now, retained=retained)
    assert sample
    return sample


def watch() -> GatewayHealth:
    return GatewayHealth("s1", {"gw-1": Presence(T0)})


def test_the_class_has_every_point_and_no_other() -> None:
    measured = {key for key, point in POINT.items() if key in MEASURED or point.template.startswith("device[n].")}
    assert set(POINTS) == set(POINT) - measured


def test_a_status_gives_every_point() -> None:
    devices = {
        "lift-1": DeviceStatus("up", answered=80),
        "meter-1": DeviceStatus("down", "timeout"),
        "ats": DeviceStatus("failing", answered=75),
    }
    status = a_status(
        at=T0 - 250, devices=devices, sent=20, spool_batches=3, spool_bytes=855, shed=0, problem="nearly full"
    )
    sample = heard(watch(), status, T0)
    assert sample == Sample(
        "gw-1",
        T0,
        {
            "gw.online": True, "gw.storage_ok": True, "gw.shedding": False, "gw.problem": "nearly full",
            "gw.spool_batches": 3, "gw.shed": 0, "gw.sent": 20, "gw.devices_up": 1, "gw.devices_failing": 1,
            "gw.command_ok": True, "gw.command_problem": "",
            "gw.devices_down": 1, "gw.down": "meter-1", "gw.devices_unreliable": 1, "gw.unreliable": "ats 75 %",
            "gw.spool_used": 85.5, "gw.clock_offset": -250,
        },
    )  # fmt: skip


def test_its_own_measurement_of_its_clock_goes_before_ours() -> None:
    assert heard(watch(), a_status(at=T0 - 250, clock_offset_ms=3.5), T0).values["gw.clock_offset"] == 3.5
    assert "gw.clock_offset" not in heard(watch(), a_status(), T0 + 9_000, retained=True).values


def test_a_last_will_makes_all_else_unknown() -> None:
    health = watch()
    heard(health, a_status(), T0)
    sample = heard(health, Status(online=False, boot="b1"), T0 + 1_000)
    assert sample.at == T0 + 1_000
    assert sample.values.pop("gw.online") is False
    assert set(sample.values.values()) == {None}
    assert set(sample.quality.values()) == {Quality.COMM}
    assert health.offline == 1


def test_two_of_one_instant_both_count() -> None:
    health = watch()
    first, second = heard(health, a_status(), T0), heard(health, Status(online=False, boot="b1"), T0)
    assert first.at < second.at


def test_silence_is_told_once_and_ends_with_a_word() -> None:
    health = watch()
    heard(health, a_status(), T0 + 5_000)
    assert not health.tick(T0 + 5_000 + SILENT_MS)
    (sample,) = health.tick(T0 + 5_001 + SILENT_MS)
    assert (sample.asset, sample.values["gw.online"]) == ("gw-1", False)
    assert not health.tick(T0 + 3 * SILENT_MS)
    assert heard(health, a_status(), T0 + 3 * SILENT_MS).values["gw.online"] is True
    assert health.offline == 0


def test_one_that_never_spoke_is_offline_after_a_while() -> None:
    health = watch()
    assert not health.tick(T0 + SILENT_MS)
    assert health.tick(T0 + SILENT_MS + 1)


def test_a_retained_word_counts_from_when_it_was_said() -> None:
    assert heard(watch(), a_status(at=T0 - 10_000), T0, retained=True).values["gw.online"] is True
    assert heard(watch(), a_status(at=T0 - SILENT_MS - 1), T0, retained=True).values["gw.online"] is False
    # said live, a wrong clock is only a wrong clock
    assert heard(watch(), a_status(at=T0 - SILENT_MS - 1), T0).values["gw.online"] is True
    # and a clock ahead of ours does not postpone the silence
    health = watch()
    heard(health, a_status(at=T0 + 10 * SILENT_MS), T0, retained=True)
    assert health.tick(T0 + SILENT_MS + 1)


def test_shedding_lasts_a_while_after_the_last_loss() -> None:
    health = watch()

    def shedding(shed: int, now: int, boot: str = "b1") -> object:
        return heard(health, a_status(shed=shed, boot=boot), now).values["gw.shedding"]

    assert shedding(0, T0) is False
    assert shedding(40, T0 + 10_000) is True
    assert shedding(40, T0 + 9_999 + SHEDDING_MS) is True
    assert shedding(40, T0 + 10_000 + SHEDDING_MS) is False
    assert shedding(0, T0 + 2 * SHEDDING_MS, "b2") is False
    assert shedding(7, T0 + 3 * SHEDDING_MS, "b2") is True
    # what a boot lost before anybody heard it counts
    assert heard(watch(), a_status(shed=5), T0).values["gw.shedding"] is True


def test_strangers_and_garbage() -> None:
    assert watch().hear(status_topic("s1", "gw-9"), encode(a_status()), T0) is None
    assert watch().hear(status_topic("s2", "gw-1"), encode(a_status()), T0) is None
    with pytest.raises(DecodeError):
        watch().hear(TOPIC, b"{no json", T0)


@given(
    st.builds(
        Status, online=st.booleans(), boot=st.text(max_size=3), at=st.integers(), sent=st.integers(),
        shed=st.integers(), spool_batches=st.integers(), spool_bytes=st.integers(), spool_limit=st.integers(),
        problem=st.text(max_size=400), storage_ok=st.booleans(),
        devices=st.dictionaries(st.text(max_size=80), st.builds(DeviceStatus, st.sampled_from(["up", "down", "?"]))),
    ),
    st.booleans(),
)  # fmt: skip
def test_whatever_a_status_says_its_readings_are_of_their_kind_and_bounded(status: Status, retained: bool) -> None:
    sample = watch().hear(TOPIC, encode(status), T0, retained=retained)
    assert sample
    for key, value in sample.values.items():
        assert value is None or type(value) in TYPES[POINT[key].kind], key
        if isinstance(value, (int, float)):
            assert abs(value) <= MAX_NUMBER
        if isinstance(value, str):
            assert len(value) <= 200
