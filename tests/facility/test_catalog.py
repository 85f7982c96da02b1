"""Classes and profiles: the shipped ones are whole, a site's own take their place or are refused with reasons."""

from __future__ import annotations

from pathlib import Path

import pytest

from facility.bus import matches
from facility.catalog import Catalog, load_catalog
from facility.errors import ConfigError
from facility.points import KEY, Kind, Label


def test_the_shipped_classes_and_the_gateways_own_are_there(catalog: Catalog) -> None:
    first = {"elevator", "water_pump", "power", "fire_alarm", "access_control", "gateway"}
    assert set(catalog.classes) == first | {"hvac", "cctv", "drainage", "lighting", "environment"}
    assert catalog.classes["elevator"].label == Label("电梯", "Elevator")


def test_every_point_is_whole(catalog: Catalog) -> None:
    for asset_class in catalog.classes.values():
        for key, point in asset_class.points.items():
            assert point.key == key
            assert KEY.fullmatch(key), key
            assert point.label.zh, key
            assert point.label.en, key
            assert point.interval > 0, key
            assert "{n}" not in point.label.zh + point.label.en, key
            if point.kind is Kind.ANALOG:
                assert point.low is not None, key
                assert point.high is not None, key
                assert point.low < point.high, key
                assert point.deadband < point.high - point.low, key
            if point.kind in (Kind.DISCRETE, Kind.ENUM):
                assert point.states, key
                assert not point.unit, key
                assert len({state.code for state in point.states.values()}) == len(point.states), key
                for number, state in point.states.items():
                    assert state.number == number
                    assert state.label.zh, key
                    assert state.label.en, key


def test_chinese_labels_are_told_apart(catalog: Catalog) -> None:
    for asset_class in catalog.classes.values():
        for language in ("zh", "en"):
            texts = [point.label.to(language) for point in asset_class.points.values()]
            assert sorted(set(texts)) == sorted(texts), asset_class.id


def test_templates_become_points(catalog: Catalog) -> None:
    point = catalog.point("water_pump", "pump[2].freq")
    assert point is not None
    assert (point.template, point.index, point.label) == ("pump[n].freq", 2, Label("2号泵频率", "Pump 2 frequency"))
    assert catalog.point("water_pump", "pump[7].freq") is None
    assert catalog.point("water_pump", "pump[n].freq") is None
    assert catalog.point("no_class", "pump[2].freq") is None


def test_a_state_is_found_by_its_code(catalog: Catalog) -> None:
    point = catalog.point("power", "ats.position")
    assert point is not None
    off = point.state("off")
    assert off is not None
    assert (off.number, off.label.to("zh-CN"), off.label.to("fr")) == (1, "断开位", "Off")
    assert point.state("sideways") is None


def own_class(folder: Path, text: str, name: str = "escalator") -> None:
    """A class of the site's own."""
    (folder / "classes").mkdir(exist_ok=True)
    (folder / "classes" / f"{name}.yaml").write_text(text)


ESCALATOR = """\
class: escalator
labels: {zh: 自动扶梯, en: Escalator}
points:
  motor.temp: {kind: analog, unit: Cel, range: [-40, 180], zh: 电机温度, en: Motor temperature}
"""


def test_a_site_adds_a_class_and_a_profile_for_it(tmp_path: Path) -> None:
    own_class(tmp_path, ESCALATOR)
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "drive.yaml").write_text(
        "profile: drive\nclass: escalator\nlabels: {zh: 扶梯控制器, en: Controller}\nsource: own list\n"
        "registers:\n  - {point: motor.temp, address: 0, scale: 0.1}\n"
    )
    catalog = load_catalog(tmp_path)
    assert catalog.profiles["drive"].points == ("motor.temp",)
    assert "elevator" in catalog.classes


def test_an_own_class_takes_the_place_of_a_shipped_one(tmp_path: Path) -> None:
    own_class(tmp_path, ESCALATOR.replace("class: escalator", "class: escalator_old"), "a")
    own_class(tmp_path, ESCALATOR, "b")
    assert {"escalator", "escalator_old"} <= set(load_catalog(tmp_path).classes)
    # a shipped class replaced by one without the points that the shipped profiles map is told, profile by profile
    own_class(tmp_path, ESCALATOR.replace("class: escalator", "class: elevator"), "c")
    with pytest.raises(ConfigError, match=r"the class elevator has no point 'dev\.heartbeat'"):
        load_catalog(tmp_path)


def test_two_files_with_one_id_are_refused(tmp_path: Path) -> None:
    own_class(tmp_path, ESCALATOR, "a")
    own_class(tmp_path, ESCALATOR, "b")
    with pytest.raises(ConfigError, match=r"b\.yaml:1: classes: the id 'escalator' is already taken"):
        load_catalog(tmp_path)


def test_a_profile_of_an_unknown_class_is_refused(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "drive.yaml").write_text(
        "profile: drive\nclass: escalator\nlabels: {zh: 甲, en: A}\nsource: own\nregisters: []\n"
    )
    with pytest.raises(ConfigError, match=r"drive\.yaml:2: class: there is no asset class 'escalator'"):
        load_catalog(tmp_path)


@pytest.mark.parametrize(
    ("filter_", "topic", "expected"),
    [
        ("a/b", "a/b", True), ("a/b", "a/b/c", False), ("a/+", "a/b", True), ("a/+", "a", False),
        ("a/+", "a/b/c", False),
        ("a/#", "a", True), ("a/#", "a/b/c", True), ("#", "a/b", True), ("+/b", "a/b", True), ("+", "", True),
        ("#", "$SYS/x", False), ("+/x", "$SYS/x", False), ("$SYS/#", "$SYS/x", True), ("$share/g/a/+", "a/b", True),
    ],
)  # fmt: skip
def test_filters(filter_: str, topic: str, expected: bool) -> None:
    assert matches(filter_, topic) is expected
