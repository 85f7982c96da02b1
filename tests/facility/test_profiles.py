"""Golden words: what the shipped profiles make of words worked out by hand from their sources' scaling rules.

The words are never made by our own encoder, so an error in codec and simulator can't hide itself here.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from facility.catalog import SHIPPED, Catalog, load_catalog
from facility.errors import ConfigError
from facility.points import Table
from facility.readings import Quality, Value
from facility.yamlfile import load
from tests.facility.golden import (
    ENUM,
    GOOD,
    RANGE,
    SENSOR,
    SENTINEL,
    G,
    Golden,
    by_key,
    cases,
    check_golden,
    register,
    topic_map,
)

GOLDEN: dict[str, list[Golden]] = {
    # IEEE 754: 230.2 = 0x43663333, 2403.7 = 0x45163B33, quiet NaN = 0x7FC00000, +infinity = 0x7F800000
    "eastron-sdm630": [
        G("u.l1n", 0, (0x4366, 0x3333), 230.2),
        G("p.l1", 12, (0x4516, 0x3B33), 2.4037),
        G("pf.l3", 34, (0xBF00, 0x0000), -0.5),
        G("f", 70, (0x4248, 0x0000), 50.0),
        G("e.import", 72, (0x47C3, 0x5000), 100_000.0),
        G("q.total", 60, (0xC479, 0xC000), -0.999),
        G("eq.l3", 380, (0x3F80, 0x0000), 1.0),
        G("thd.u", 248, (0x4020, 0x0000), 2.5),
        G("u.l2n", 2, (0x7FC0, 0x0000), None, SENTINEL),
        G("i.l1", 6, (0x7F80, 0x0000), None, RANGE),
        G("u.l3n", 4, (0x442F, 0x0000), None, RANGE),  # 700 V to neutral
    ],
    "abb-ats022": [
        G("ats.line1_status", 2000, (5,), 5),
        G("ats.src1_ok", 2000, (0,), True),
        G("ats.src1_ok", 2000, (4,), False),
        G("ats.line2_status", 2001, (8,), None, ENUM),
        G("ats.src2_ok", 2001, (8,), None, ENUM),
        G("ats.switching", 2002, (4,), 4),
        G("ats.position", 2002, (0,), 0),
        G("ats.position", 2002, (1,), 3),
        G("ats.position", 2002, (2,), 2),
        G("ats.fail_to_transfer", 2002, (4,), True),
        G("ats.fail_to_transfer", 2002, (2,), False),
        G("ats.breaker1", 2003, (2,), 2),
        G("ats.breaker2", 2004, (0,), None, ENUM),
        G("ats.generator", 2006, (3,), 3),
        G("ats.alarm", 2007, (0x0401,), 1025),
        G("ats.alarm.open1_fail", 2007, (0x0401,), True),
        G("ats.alarm.cb1_trip", 2007, (0x0400,), True),
        G("ats.alarm.logic_disabled", 2007, (0x0100,), True),
        G("ats.alarm.external", 2007, (0x0401,), False),
        G("ats.alarm.generator", 2007, (0x1000,), True),
    ],
    # binary fixed point: raw / 2^n
    "apc-smart-ups": [
        G("ups.charge", 130, (51_200,), 100.0),
        G("ups.batt_v", 131, (0x06C8,), 54.25),
        G("ups.batt_temp", 135, (0x0C80,), 25.0),
        G("ups.batt_temp", 135, (0xFF80,), -1.0),
        G("ups.load", 136, (0x1900,), 25.0),
        G("ups.out_i", 140, (0x0140,), 10.0),
        G("ups.out_u", 142, (0x3980,), 230.0),
        G("ups.out_f", 144, (0x1900,), 50.0),
        G("ups.in_u", 151, (0x3980,), 230.0),
        G("ups.in_u", 151, (0xFFFF,), None, SENTINEL),
        G("ups.efficiency", 154, (0x3000,), 96.0),
        G("ups.efficiency", 154, (0xFFFE,), None, SENTINEL),
        G("ups.runtime", 128, (0x0000, 0x0E10), 3600),
        G("ups.mode", 0, (0x0000, 0x0002), 0),
        G("ups.mode", 0, (0x0000, 0x2004), 1),
        G("ups.mode", 0, (0x0000, 0x0008), 2),
        G("ups.mode", 0, (0x0000, 0x000A), None, ENUM),
        G("ups.overload", 0, (0x0020, 0x0004), True),
        G("ups.overload", 0, (0x0000, 0x0020), False),
        G("ups.high_efficiency", 0, (0x0000, 0x2002), True),
        G("ups.fault", 0, (0x0000, 0x0022), True),
        G("ups.error.inverter", 20, (0x0000, 0x2000), True),
        G("ups.replace_battery", 22, (0x0004,), True),
        G("ups.shutdown_imminent", 18, (0x0002,), True),
        G("ups.transfer_high", 1026, (265,), 265),
    ],
    "grundfos-cim": [
        G("sys.outlet_pressure", 340, (4520,), 0.452),  # 4.520 bar
        G("sys.inlet_pressure", 314, (0xFFFF,), None, SENTINEL),
        G("sys.electronics_temp", 320, (31_815,), 45.0),  # 318.15 K
        G("sys.liquid_temp", 321, (27_315,), 0.0),
        G("sys.flow", 301, (235,), 23.5),
        G("sys.head", 300, (3512,), 35.12),
        G("sys.freq", 304, (452,), 45.2),
        G("sys.power", 311, (0x0000, 0x15E0), 5.6),  # 5600 W
        G("sys.power", 311, (0xFFFF, 0xFFFF), None, SENTINEL),
        G("sys.volume", 356, (0x0000, 0x3039), 123.45),
        G("sys.alarm_code", 204, (57,), 57),  # dry running
        G("sys.run", 200, (0x0200,), True),
        G("sys.fault", 200, (0x0200,), False),
        G("sys.remote_access", 200, (0x0100,), True),
        G("sys.run", 200, (0xFFFF,), None, SENTINEL),
        G("sys.control_mode", 202, (4,), 4),
        G("sys.control_mode", 202, (128,), 128),
        G("sys.control_mode", 202, (2,), None, ENUM),
        G("maint.bearing_months", 206, (0x0106,), 6),
        G("maint.bearing_action", 206, (0x0106,), True),
        G("maint.bearing_months", 206, (0x00FF,), None, SENTINEL),
        G("pump[1].run", 400, (0x0003,), True),
        G("pump[1].fault", 400, (0x0003,), False),
        G("pump[3].power", 426, (155,), 1.55),  # 1550 W in steps of 10
        G("pump[6].motor_temp", 457, (33_315,), 60.0),
        G("pump[2].run_hours", 412, (0x0001, 0x0000), 65_536),
    ],
    "fw-lift-1": [
        G("car.floor_label", 11, (0xFFFE,), -2),
        G("car.position", 12, (0x0000, 0x1388), 5000),
        G("car.speed", 14, (0xFF38,), -2.0),
        G("car.moving", 16, (0,), False),
        G("car.moving", 16, (4,), True),
        G("car.moving", 16, (9,), None, ENUM),
        G("car.load", 20, (1105,), 110.5),
        G("fault.code", 21, (5,), 5),
        G("fault.code", 21, (15,), None, ENUM),
        G("level.error", 23, (0xFF9C,), -10.0),
        G("door.car.state", 18, (5,), None, ENUM),
        G("door.car_b.state", 19, (0xFFFF,), None, SENTINEL),
        G("drive.motor_temp", 24, (3000,), None, RANGE),
        G("door.reopen_last_cycle", 32, (3,), 3),
        G("cnt.run_hours", 44, (0x0001, 0x0000), 6553.6),
        G("alarm.intercom_age", 60, (0x0027, 0x8D00), 720.0),  # 30 days in seconds
        G("safety.chain_closed", 1, (1,), True),
        G("mr.door", 23, (0,), False),
    ],
    "fw-fire-1": [
        G("panel.state", 5, (0x0802,), 2050),
        G("panel.normal", 5, (0x0802,), False),
        G("panel.fire", 5, (0x0802,), True),
        G("panel.manual", 5, (0x0802,), True),
        G("panel.mode", 5, (0x0802,), 1),
        G("panel.mode", 5, (0x0001,), 0),
        G("power.main_fault", 5, (0x0100,), True),
        G("event.sequence", 20, (0x0001, 0x0002), 65_538),
        G("power.mains_v", 22, (2305,), 230.5),
        G("power.batt_v", 23, (2745,), 27.45),
        G("power.charger_state", 24, (7,), None, ENUM),
        G("loop[2].current", 51, (1234,), 123.4),
        G("hydrant.pressure", 60, (452,), 0.452),
        G("sprinkler.pressure", 61, (5000,), None, RANGE),
        G("tank.level", 62, (0xFFFF,), None, RANGE),
        G("zone[1].alarm", 70, (0x0001,), True),
        G("zone[17].alarm", 71, (0x0001,), True),
        G("zone[128].alarm", 77, (0x8000,), True),
        G("zone[127].alarm", 77, (0x8000,), False),
        G("zone[16].disabled", 86, (0x8000,), True),
        G("link.gas_release", 22, (1,), True),
    ],
    "fw-door-1": [
        G("door[1].state", 20, (3,), 3),
        G("door[1].forced", 20, (3,), True),
        G("door[1].held", 20, (3,), False),
        G("door[2].held", 28, (4,), True),
        G("door[8].state", 76, (7,), None, ENUM),
        G("door[8].forced", 76, (7,), None, ENUM),
        G("door[1].open_count", 22, (0x0001, 0x0000), 65_536),
        G("door[1].last_reason", 24, (38,), 38),
        G("door[1].last_reason", 24, (2,), None, ENUM),
        G("door[1].contact", 26, (0x0011,), True),
        G("door[1].lock", 26, (0x0002,), 1),
        G("door[1].lock", 26, (0x0011,), 0),
        G("reader[2].online", 34, (0x0010,), True),
        G("door[2].bypass", 34, (0x0020,), True),
        G("ctl.batt_ok", 5, (0x0001,), False),
        G("ctl.event_index", 100, (0x0000, 0x0045), 69),
    ],
}


@pytest.mark.parametrize(("name", "golden"), cases(GOLDEN))
def test_golden_words(catalog: Catalog, name: str, golden: Golden) -> None:
    check_golden(catalog, name, golden)


def test_every_modbus_profile_has_golden_words_good_and_bad(catalog: Catalog) -> None:
    # here, or in the profile itself (tests/gateway/test_examples.py)
    modbus = {name for name, found in catalog.profiles.items() if found.protocol == "modbus" and not found.examples}
    words: dict[str, list[Golden]] = {}
    for path in Path(__file__).parent.glob("test_profiles*.py"):
        words |= import_module(f"tests.facility.{path.stem}").GOLDEN
    assert modbus == set(words)
    for name in modbus:
        assert len({golden.point for golden in words[name]}) >= min(4, len(catalog.profiles[name].points))
        assert any(golden.quality is not GOOD for golden in words[name])


def test_every_class_has_a_profile(catalog: Catalog) -> None:
    # a gateway tells its points itself
    assert {profile.asset_class for profile in catalog.profiles.values()} == set(catalog.classes) - {"gateway"}


@pytest.mark.parametrize("path", sorted((SHIPPED / "profiles").iterdir()), ids=lambda path: str(path.stem))
def test_every_profile_is_named_as_its_file_and_says_its_source(catalog: Catalog, path: Path) -> None:
    profile = catalog.profiles[path.stem]
    assert path.read_text().startswith("# ")
    assert "read" in profile.source or "generic profile of this project" in profile.source
    assert profile.label.zh != profile.label.en


def test_generic_life_safety_profiles_write_nothing(catalog: Catalog) -> None:
    written = {profile.id for profile in catalog.profiles.values() if any(item.writing for item in profile.registers)}
    assert written == {"fw-light-1", "fw-ahu-1"}
    assert not any(catalog.classes[catalog.profiles[name].asset_class].life_safety for name in written)


def test_no_bit_has_two_owners_and_views_are_second_readings(catalog: Catalog) -> None:
    for profile in catalog.profiles.values():
        owned: set[tuple[Table, int, int]] = set()
        for item in profile.registers:
            if not item.view:
                assert not owned & set(item.cells()), item.point
                owned |= set(item.cells())
        for item in profile.registers:
            assert not item.view or owned & set(item.cells()), item.point


SHELLY = (
    b'{"id":0,"a_current":10.739,"a_voltage":233.3,"a_act_power":2403.7,"a_aprt_power":2503.5,"a_pf":0.96,'
    b'"b_current":1.872,"b_voltage":236.7,"b_act_power":409.1,"b_aprt_power":443.1,"b_pf":-0.93,"n_current":null,'
    b'"total_current":13.753,"total_act_power":3048.104,"total_aprt_power":3217.036}'
)
STATUS = (
    b'{"message":{"reply":{"server-id":"uhppoted","method":"get-status","response":{"device-id":405419896,"status":{'
    b'"door-states":{"1":true,"2":false,"3":false,"4":false},"door-buttons":{"1":false,"2":true,"3":false,"4":false},'
    b'"event":{"access-granted":true,"card-number":8165537,"direction":1,"direction-text":"in","door-id":1,'
    b'"event-id":69,"event-reason":44,"event-reason-text":"remote open door","event-type":2},'
    b'"input-state":0,"relay-state":0,"special-info":0,"system-error":3}}}}}'
)


def test_shelly_whole_status(catalog: Catalog) -> None:
    found = by_key(topic_map(catalog, "shelly-pro-3em", {"prefix": "em-1"}).values("em-1/status/em:0", SHELLY))
    assert found["u.l1n"] == (233.3, GOOD)
    assert found["p.l1"] == (pytest.approx(2.4037), GOOD)
    assert found["s.total"] == (pytest.approx(3.217036), GOOD)
    assert found["pf.l2"] == (-0.93, GOOD)
    assert found["i.n"] == (None, SENSOR)
    assert "u.l3n" not in found  # not in this payload


def test_shelly_delta_reply_and_energy(catalog: Catalog) -> None:
    topics = topic_map(catalog, "shelly-pro-3em", {"prefix": "em-1"})
    delta = b'{"src":"em-1","method":"NotifyStatus","params":{"ts":1631186545.04,"em:0":{"id":0,"c_voltage":700.0}}}'
    assert by_key(topics.values("em-1/events/rpc", delta)) == {"u.l3n": (None, RANGE)}
    other = b'{"src":"em-1","method":"NotifyEvent","params":{"ts":1631186545.04,"events":[]}}'
    assert topics.values("em-1/events/rpc", other) is None
    reply = b'{"id":1,"src":"em-1","dst":"em-1/caretaker","result":' + SHELLY + b"}"
    assert by_key(topics.values("em-1/caretaker/rpc", reply))["i.l1"] == (10.739, GOOD)
    energy = b'{"id":2,"src":"em-1","result":{"id":0,"total_act":12345.67,"a_total_act_ret_energy":6789.0}}'
    assert by_key(topics.values("em-1/caretaker/rpc", energy)) == {
        "e.import": (pytest.approx(12.34567), GOOD),
        "e.export.l1": (pytest.approx(6.789), GOOD),
    }


def test_uhppoted_status(catalog: Catalog) -> None:
    topics = topic_map(catalog, "uhppoted", {"device": "405419896"})
    found = by_key(topics.values("uhppoted/reply/caretaker/405419896", STATUS))
    assert found["door[1].contact"] == (True, GOOD)
    assert found["door[2].contact"] == (False, GOOD)
    assert found["door[2].rex"] == (True, GOOD)
    assert found["door[2].forced"] == (False, GOOD)  # a closed door is not forced
    assert "door[1].forced" not in found  # an open one may be, the status does not say
    assert found["door[1].last_reason"] == (44, GOOD)
    assert found["ctl.event_index"] == (69, GOOD)
    assert found["ctl.error"] == (3, GOOD)
    assert not any("8165537" in str(value) for value in found.values())


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        (38, {"door[3].forced": (True, GOOD), "door[3].last_reason": (38, GOOD)}),
        (37, {"door[3].held": (True, GOOD), "door[3].last_reason": (37, GOOD)}),
        (23, {"door[3].contact": (True, GOOD), "door[3].last_reason": (23, GOOD)}),
        (3, {"door[3].last_reason": (None, ENUM)}),
    ],
)
def test_uhppoted_live_event(catalog: Catalog, reason: int, expected: dict[str, tuple[Value, Quality]]) -> None:
    topics = topic_map(catalog, "uhppoted", {"device": "405419896"})
    event = b'{"message":{"event":{"device-id":405419896,"event-id":70,"event-reason":%d,"door-id":3}}}' % reason
    found = by_key(topics.values("uhppoted/gateway/events/live", event))
    assert found == {"ctl.event_index": (70, GOOD), **expected}


def test_uhppoted_closing_ends_forced_and_held_and_other_controllers_are_ignored(catalog: Catalog) -> None:
    topics = topic_map(catalog, "uhppoted", {"device": "405419896"})
    event = b'{"message":{"event":{"device-id":%s,"event-id":71,"event-reason":24,"door-id":3}}}'
    found = by_key(topics.values("uhppoted/gateway/events/live", event % b"405419896"))
    for key in ("door[3].contact", "door[3].forced", "door[3].held"):
        assert found[key] == (False, GOOD)
    assert topics.values("uhppoted/gateway/events/live", event % b"201020304") is None


def write_profile(folder: Path, text: str) -> Path:
    """A site's own profile."""
    (folder / "profiles").mkdir()
    path = folder / "profiles" / "own.yaml"
    path.write_text("profile: own\nclass: power\nlabels: {zh: 自, en: own}\nsource: test\n" + text)
    return path


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("registers:\n  - {point: f, address: 65535, type: float32}\n", 6, "outside the map"),
        ("registers:\n  - {point: f, address: 70000}\n", 6, "less than or equal to 65535"),
        ("registers:\n  - {point: nope, address: 0}\n", 6, "no point 'nope'"),
        ("registers:\n  - {point: f, address: 0, type: uint24}\n", 6, "'uint24' is none of"),
        ("registers:\n  - {point: f, address: 0}\n  - {point: f, address: 1}\n", 7, "mapped twice"),
        ("registers:\n  - {point: f, address: 0}\n  - {point: pf, address: 0}\n", 7, "that f holds already"),
        ("registers:\n  - {point: gen.run, address: 0, type: bit}\n", 6, "number of the bit"),
        ("registers:\n  - {point: gen.run, address: 0, type: bits}\n", 6, "type bits needs"),
        ("registers:\n  - {point: ups.mode, address: 0, values: {1: 9}}\n", 6, "9 is no state of ups.mode"),
        ("registers:\n  - {point: gen.run, address: 0, values: {1: 2}}\n", 6, "2 is no state of gen.run"),
        ('registers:\n  - {point: "breaker[n].current", address: 0}\n', 6, "needs repeat and step"),
        ('registers:\n  - {point: "breaker[n].current", address: 0, repeat: 33, step: 1}\n', 6, "breaker[33].current"),
        ("registers: []\n", 1, "needs registers"),
        ("protocol: mqtt\n", 1, "needs topics"),
        ("protocol: mqtt\ntopics:\n  - topic: a\n    values:\n      - {point: f, path: f}\n", 9, "not a JSON pointer"),
    ],
)
def test_a_wrong_profile_is_refused_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = write_profile(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        load_catalog(tmp_path)
    problems = [problem for problem in error.value.problems if message in problem.message]
    assert problems, str(error.value)
    assert (problems[0].file, problems[0].line) == (str(path), line)


def test_a_status_word_may_be_seen_twice_when_it_says_so(tmp_path: Path) -> None:
    write_profile(tmp_path, "registers:\n  - {point: f, address: 0}\n  - {point: pf, address: 0, view: true}\n")
    own = load_catalog(tmp_path).profiles["own"]
    assert [item.view for item in own.registers] == [False, True]


def test_cells_of_a_long_register_follow_its_word_order(catalog: Catalog) -> None:
    overload = register(catalog.profiles["apc-smart-ups"], "ups.overload")
    assert list(overload.cells()) == [(Table.HOLDING, 0, 5)]  # bit 21 is bit 5 of the high word, which comes first


def test_a_topic_root_stands_before_every_pointer(tmp_path: Path) -> None:
    text = (
        "protocol: mqtt\ntopics:\n  - topic: a\n    root: /x\n    values:\n"
        '      - {point: "breaker[n].current", path: /v, index: /n, when: {/k: 1}}\n'
    )
    write_profile(tmp_path, text)
    (value,) = load_catalog(tmp_path).profiles["own"].topics[0].values
    assert (value.path, value.index, dict(value.when)) == ("/x/v", "/x/n", {"/x/k": 1})


def test_profiles_are_plain_yaml_with_lines() -> None:
    document = load(SHIPPED / "profiles" / "fw-lift-1.yaml")
    assert document.line(("registers", 0)) > 10
