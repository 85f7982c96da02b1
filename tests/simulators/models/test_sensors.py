"""Faults of one point (domain X01, X04..X06, X09): what is shown, for how long, and that it fits its register."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from random import Random
from statistics import pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facility.assets import Device
from facility.catalog import Catalog
from facility.config import Site
from facility.hardware import On
from facility.points import Kind, Register, Table
from facility.readings import Quality, Value
from gateway.codec import decode
from simulators.building import Building
from simulators.devices.modbus_server import ModbusUnit
from simulators.devices.shelly import Shelly3em
from simulators.faultfile import repertoire
from simulators.models.sensors import DISTURBANCES, Scale, Sensors, fitting
from simulators.scenario import Action

PLACE = ("A", "p")
BAR = Scale(0.0, 10.0, interval=1.0)
FAULTS = repertoire().faults_of(On.POINT)


class Bench:
    """One point, whose true value the test sets, under faults."""

    def __init__(self, value: Value = 5.0, scale: Scale = BAR) -> None:
        self.value = value
        self.sensors = Sensors({PLACE: scale})

    def begin(self, fault: str, **params: float) -> None:
        filled = FAULTS[fault].filled(params)
        self.sensors.begin(PLACE, fault, filled, shown=self.shown(), random=Random(1))

    def shown(self) -> Value:
        return self.sensors.show("A", {"p": self.value})["p"]

    def record(self, seconds: float, dt: float = 0.5, true: Callable[[float], Value] | None = None) -> list[Value]:
        """What is shown after each step; `true`: the true value by the seconds."""
        found = []
        for step in range(round(seconds / dt)):
            self.sensors.step(dt)
            if true:
                self.value = true((step + 1) * dt)
            found.append(self.shown())
        return found


def test_every_fault_of_a_point_can_be_played_and_is_told() -> None:
    assert FAULTS.keys() == DISTURBANCES.keys()


def test_a_stuck_value_stays_while_the_thing_goes_on() -> None:
    """X01: variance 0 over N samples while the true value moves; at the end the truth is back at once."""
    bench = Bench(4.2)
    bench.begin("stuck")
    assert set(bench.record(60, true=lambda t: 4.2 + t / 60)) == {4.2}
    bench.sensors.end(PLACE, "stuck")
    assert bench.shown() == pytest.approx(5.2)


@pytest.mark.parametrize("value", [True, 3])
def test_a_contact_and_a_mode_stick_too(value: Value) -> None:
    bench = Bench(value, Scale())
    bench.begin("stuck_contact")
    bench.value = 0
    assert bench.shown() is value


def test_a_flat_signal_has_no_noise_and_stands_in_the_range() -> None:
    bench = Bench(scale=Scale(-2.0, 8.0))
    bench.begin("flatline", level=25)
    assert set(bench.record(5, true=lambda t: t)) == {0.5}


def test_a_contact_chatters_at_least_three_times_a_minute() -> None:
    """X04: three alarm/clear cycles in 60 s are chattering."""
    bench = Bench(False, Scale())
    bench.begin("chatter")
    shown = [False, *bench.record(60)]
    assert {type(value) for value in shown} == {bool}
    assert sum(now and not before for before, now in pairwise(shown)) >= 3
    assert FAULTS["chatter"].params["period"].high <= 60 / 3


@pytest.mark.parametrize(("value", "jump"), [(5.0, 5.0), (2.0, 5.0), (8.0, -5.0)])
def test_a_spike_is_one_sample_towards_the_farther_end(value: float, jump: float) -> None:
    """X05: a single sample, more than 5 sigma away."""
    bench = Bench(value)
    bench.begin("spike")
    polled = [bench.shown(), *bench.record(119, dt=1.0)]
    assert [index for index, shown in enumerate(polled) if shown != value] == [0, 60]
    assert polled[60] == value + jump


def test_a_spike_of_more_than_the_span_leaves_the_physical_range() -> None:
    bench = Bench()
    bench.begin("spike", size=120)
    assert bench.shown() == 17.0


def test_a_slowly_polled_point_still_has_single_spikes() -> None:
    bench = Bench(scale=replace(BAR, interval=60.0))
    bench.begin("spike")
    polled = [bench.shown(), *bench.record(600, dt=60.0)]
    assert [index for index, shown in enumerate(polled) if shown != 5.0] == [0, 5, 10]


def test_a_counter_that_was_reset_counts_from_zero() -> None:
    """X06: the counter decreases."""
    bench = Bench(1234, Scale())
    bench.begin("counter_reset")
    assert bench.record(4, dt=1.0, true=lambda t: 1234 + round(t)) == [1, 2, 3, 4]
    bench.sensors.end(PLACE, "counter_reset")
    assert bench.shown() == 1238


def test_a_counter_rolls_over_at_the_end_of_its_register() -> None:
    """X06: it was near the type's end before, and loses no count across it."""
    bench = Bench(40, Scale(least=0, most=65_535))
    bench.begin("counter_rollover", seconds=20)
    shown = [bench.shown(), *bench.record(40, dt=1.0)]
    numbers = [value for value in shown if isinstance(value, int)]
    assert len(numbers) == 41
    assert numbers[0] == 65_526
    falls = [index for index in range(40) if numbers[index + 1] < numbers[index]]
    assert len(falls) == 1
    assert numbers[falls[0]] >= 65_534
    assert falls[0] == 19, "within its time"
    bench.value = 47
    assert bench.shown() == 7


@pytest.mark.parametrize(("now", "end"), [(12.0, 1e6), (2_500_000.0, 1e7)])
def test_a_counter_without_a_register_rolls_over_as_a_meter_does(now: float, end: float) -> None:
    bench = Bench(now, Scale())
    bench.begin("counter_rollover", seconds=10)
    assert bench.shown() == pytest.approx(end - 10)
    assert bench.record(10)[-1] == pytest.approx(0.0)


def test_a_sensor_drifts_in_a_straight_line_and_stays_there() -> None:
    bench = Bench()
    bench.begin("drift", offset=-20, seconds=100)
    shown = bench.record(200, dt=50)
    assert shown == pytest.approx([4.0, 3.0, 3.0, 3.0])
    bench.begin("drift", offset=100, seconds=100)
    assert bench.record(100, dt=100) == [10.0], "a sensor shows nothing outside its range"


def test_noise_has_its_deviation_and_the_same_seed_the_same_noise() -> None:
    bench, again = Bench(), Bench()
    for one in (bench, again):
        one.begin("noise", sigma=3)
    shown = bench.record(1000)
    assert shown == again.record(1000)
    assert pstdev(value for value in shown if isinstance(value, float)) == pytest.approx(0.3, rel=0.1)
    assert bench.shown() == bench.shown(), "it is asked for more than once at an instant"


def test_an_open_loop_has_no_value() -> None:
    """X09: bad, not 0 bar."""
    bench = Bench()
    bench.begin("open_loop")
    assert bench.shown() is None
    bench.begin("drift", seconds=1)
    assert bench.shown() is None, "nothing else can make a value of it"
    bench.sensors.end(PLACE, "open_loop")
    assert bench.record(2)[-1] == 6.0


def test_a_register_without_a_sentinel_shows_an_open_loop_outside_the_range() -> None:
    """X09: below 3.6 mA, or above 21 mA where the register shows nothing below."""
    closed = replace(BAR, blank=False)
    for least, most, shown in ((-100, 100, -0.25), (0, 100, 10.625)):
        bench = Bench(scale=replace(closed, least=least, most=most))
        bench.begin("open_loop")
        assert bench.shown() == pytest.approx(shown)
    assert not replace(closed, least=0, most=10).can_be_open


def test_faults_lie_over_each_other_in_the_order_of_their_beginning() -> None:
    bench = Bench()
    bench.begin("drift", offset=10, seconds=1)
    assert bench.record(1) == [5.5, 6.0]
    bench.begin("stuck")
    bench.value = 7.0
    assert bench.record(1)[-1] == 6.0
    bench.sensors.end(PLACE, "drift")
    assert bench.shown() == 6.0
    bench.sensors.end(PLACE, "stuck")
    assert bench.shown() == 7.0


@pytest.mark.parametrize(
    ("register", "ends"),
    [
        (Register("p", Table.INPUT, 0, "uint16"), (0, 65_535)),
        (Register("p", Table.INPUT, 0, "uint16", sentinels=frozenset({65_535, 65_534, 0})), (1, 65_533)),
        (Register("p", Table.INPUT, 0, "int16", sentinels=frozenset({32_768.0})), (-32_767, 32_767)),
        (Register("p", Table.INPUT, 0, "int16", sentinels=frozenset({32_767.0}), scale=0.1), (-3276.8, 3276.6)),
        (Register("p", Table.INPUT, 0, "uint32", words=2, scale=-1, offset=5), (-4_294_967_290, 5)),
        (Register("p", Table.INPUT, 0, "bits", bits=(4, 7)), (0, 15)),
        (Register("p", Table.INPUT, 0, "bcd16"), (0, 9999)),
        (Register("p", Table.INPUT, 0, "int8"), (-128, 127)),
        (Register("p", Table.INPUT, 0, "float16"), (-65_504, 65_504)),
        (Register("p", Table.INPUT, 0, "float32", words=2), (float("-inf"), float("inf"))),
    ],
)
def test_what_fits_into_a_register(register: Register, ends: tuple[float, float]) -> None:
    assert fitting(register) == pytest.approx(ends)


def places(building: Building, kind: Kind) -> list[tuple[str, str]]:
    """(asset, point) of every point of the demo building that a fault can befall."""
    subjects = building.subjects().values()
    return [(one.id, key) for one in subjects for key, found in one.points.items() if found is kind]


def action(fault: str, asset: str, point: str, **params: float) -> Action:
    return Action(0.0, On.POINT, asset, fault, 10.0, point, params)


def units(site: Site, catalog: Catalog) -> list[tuple[Device, ModbusUnit]]:
    modbus = [device for device in site.devices if catalog.profiles[device.profile].protocol == "modbus"]
    return [(device, ModbusUnit(catalog.profiles[device.profile], rename=device.rename)) for device in modbus]


@pytest.mark.slow
@settings(max_examples=25)
@given(seed=st.integers(0, 1000), data=st.data())
def test_whatever_befalls_a_point_its_registers_can_show_it(
    demo: tuple[Site, Catalog], seed: int, data: st.DataObject
) -> None:
    """Never a crash of the device, whatever the params; and nothing is left when all is over."""
    site, catalog = demo
    building, devices = Building(site, catalog, seed=seed), units(site, catalog)
    subjects, played = building.subjects(), []
    for name, fault in sorted(FAULTS.items()):
        kind = data.draw(st.sampled_from(sorted(fault.points)))
        asset, point = data.draw(st.sampled_from(places(building, kind)))
        if point in subjects[On.ASSET, asset].unseen.get(name, ()):
            continue
        params = {key: data.draw(st.floats(param.low, param.high)) for key, param in fault.params.items()}
        played.append(action(name, asset, point, **params))
        building.begin(played[-1])
    for dt in (0.1, 1.0, 3600.0):
        building.leap(dt)
        values = building.values()
        for device, unit in devices:
            unit.update(values[device.asset])
    for one in played:
        building.end(one)
    assert building.values() == {name: model.values() for name, model in building.models.items()}


def test_an_open_loop_is_bad_at_the_gateway_wherever_it_can_be_played(demo: tuple[Site, Catalog]) -> None:
    """X09 through the registers and the gateway's own codec: no number comes out, least of all 0."""
    site, catalog = demo
    building = Building(site, catalog)
    subjects = building.subjects()
    unseen = {(one.id, key) for one in subjects.values() for key in one.unseen["open_loop"]}
    assert ("WP-01", "sys.outlet_pressure") not in unseen
    for asset, point in places(building, Kind.ANALOG):
        if (asset, point) not in unseen:
            building.begin(action("open_loop", asset, point))
    values = building.values()
    qualities = set()
    for device, unit in units(site, catalog):
        profile = catalog.profiles[device.profile]
        unit.update(values[device.asset])
        for register in profile.registers:
            point = catalog.classes[profile.asset_class].points[register.point]
            shown = subjects[On.ASSET, device.asset].points
            if point.kind is Kind.ANALOG and point.key in shown and (device.asset, point.key) not in unseen:
                words = unit.words(register.table, register.address, register.words)
                value, quality = decode(register, words, point)
                assert value is None, (device.id, point.key, value)
                qualities.add(quality)
    assert qualities == {Quality.SENTINEL, Quality.RANGE}


def test_an_open_loop_of_a_device_on_the_broker_is_null(demo: tuple[Site, Catalog]) -> None:
    building = Building(*demo)
    for point in ("u.l1n", "i.l2", "p.l3", "p.total"):
        building.begin(action("open_loop", "PM-04", point))
    _, status, _ = Shelly3em("s").hello(building.values()["PM-04"], 0.0)
    for name in ("a_voltage", "b_current", "total_current", "c_act_power", "total_act_power"):
        assert f'"{name}":null'.encode() in status.payload
    assert b'"b_voltage":2' in status.payload


@pytest.mark.parametrize(
    ("fault", "asset", "point", "message"),
    [
        ("melted", "EL-01", "car.load", "no fault 'melted' of a point; known: chatter, "),
        ("stuck", "EL-99", "car.load", "no simulated asset 'EL-99'"),
        ("stuck", "EL-01", "", "stuck needs the point that it befalls"),
        ("stuck", "EL-01", "car.moving", "EL-01 has no point 'car.moving'"),  # a second reading of car.motion's bits
        ("chatter", "EL-01", "car.load", "chatter befalls points of kind discrete; car.load is analog"),
        ("stuck_contact", "AC-02", "door[7].contact", "AC-02 has no point 'door[7].contact'"),  # it has four doors
        ("open_loop", "FA-01", "cnt.alarm", "open_loop can't be shown by cnt.alarm: every number of its register"),
    ],
)
def test_what_can_not_befall_a_point(
    demo: tuple[Site, Catalog], fault: str, asset: str, point: str, message: str
) -> None:
    building = Building(*demo)
    with pytest.raises(ValueError, match=r".") as caught:
        building.begin(action(fault, asset, point))
    assert message in str(caught.value)


def test_the_thing_goes_on_behind_its_sensor(demo: tuple[Site, Catalog]) -> None:
    """What is measured does not feel its sensor: the same building without the fault has the same values."""
    disturbed, quiet = Building(*demo, seed=3), Building(*demo, seed=3)
    disturbed.begin(action("stuck", "WP-01", "sys.outlet_pressure"))
    frozen = disturbed.values()["WP-01"]["sys.outlet_pressure"]
    for building in (disturbed, quiet):
        building.step(20.0)
    assert disturbed.values()["WP-01"].pop("sys.outlet_pressure") == frozen
    assert quiet.values()["WP-01"]["sys.outlet_pressure"] != frozen
    disturbed.end(action("stuck", "WP-01", "sys.outlet_pressure"))
    assert disturbed.values() == quiet.values()
