"""Boards are what Grafana can draw: places, ids, sources, words and units, in both languages."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from hypothesis import given
from hypothesis import strategies as st

import api.alarms
import api.assets
import api.gateways
import api.performance
import api.readings
import api.tickets
from dashboards import equipment, panels
from dashboards.board import COLUMNS, MAX_UID, laid_out, uid
from dashboards.build import boards, text_of
from dashboards.influx import literal, quoted
from dashboards.panels import Json, unit_of
from dashboards.queries import API, INFLUX
from dashboards.texts import COLOURS, GROUPS, HEADLINES
from facility.catalog import Catalog, load_catalog
from facility.config import Site
from facility.points import Kind
from facility.units import UNITS

HERE = Path(__file__).parent
NAMES = ["overview", "alarms", "elevator", "water_pump", "power", "fire_alarm", "access_control", "gateway"]
KINDS = {"row", "timeseries", "state-timeline", "stat", "table"}


def every_panel(board: Json) -> Iterator[Json]:
    """All panels of a board, those in collapsed rows too."""
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", [])


def test_there_is_a_board_for_each_class_an_overview_and_the_alarms(all_boards: dict[str, Json]) -> None:
    assert set(all_boards) == {f"{language}/{name}.json" for language in ("zh", "en") for name in NAMES}
    assert len({board["uid"] for board in all_boards.values()}) == len(all_boards)


@pytest.fixture(params=[f"{language}/{name}.json" for language in ("zh", "en") for name in NAMES])
def board(request: pytest.FixtureRequest, all_boards: dict[str, Json]) -> Json:
    """Each board."""
    return all_boards[request.param]


def test_the_essentials_of_a_board(board: Json) -> None:
    assert 0 < len(board["uid"]) <= MAX_UID
    assert board["title"]
    assert board["schemaVersion"] == 41
    assert isinstance(board["templating"]["list"], list)
    assert isinstance(board["annotations"]["list"], list)
    assert board["time"] == {"from": "now-6h", "to": "now"}
    assert json.loads(text_of(board)) == board


def test_ids_are_unique_and_kinds_are_known(board: Json) -> None:
    found = list(every_panel(board))
    assert len({panel["id"] for panel in found}) == len(found)
    assert {panel["type"] for panel in found} <= KINDS
    assert all(panel["title"] for panel in found)


def test_panels_lie_on_the_grid_without_overlap(board: Json) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        taken = check_place(panel, taken)
        if panel.get("panels"):
            inside: set[tuple[int, int]] = set()
            for inner in panel["panels"]:
                assert inner["gridPos"]["y"] > panel["gridPos"]["y"]
                inside = check_place(inner, inside)


def check_place(panel: Json, taken: set[tuple[int, int]]) -> set[tuple[int, int]]:
    """The cells taken so far and by this panel; fails on an overlap or outside the grid."""
    place = panel["gridPos"]
    assert set(place) == {"x", "y", "w", "h"}
    assert 0 <= place["x"] < place["x"] + place["w"] <= COLUMNS
    assert place["h"] > 0
    cells = {
        (x, y) for x in range(place["x"], place["x"] + place["w"]) for y in range(place["y"], place["y"] + place["h"])
    }
    assert not cells & taken, panel["title"]
    return taken | cells


@given(st.lists(st.tuples(st.integers(1, 24), st.integers(1, 9), st.integers(0, 2)), max_size=20))
def test_any_panels_are_laid_out_without_overlap(shapes: list[tuple[int, int, int]]) -> None:
    given_: list[Json] = []
    for width, height, kind in shapes:
        panel = {"type": "table", "title": "x", "gridPos": {"x": 0, "y": 0, "w": width, "h": height}}
        given_.append(panel if kind == 0 else panels.row("x", [panel, panel], collapsed=kind == 1))
    test_panels_lie_on_the_grid_without_overlap({"panels": laid_out(given_)})


def test_every_panel_asks_one_of_the_two_sources(board: Json) -> None:
    for panel in every_panel(board):
        if panel["type"] == "row":
            continue
        assert panel["targets"], panel["title"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len(set(refs)) == len(refs)
        for target in panel["targets"]:
            assert target["datasource"] in (INFLUX, API)
            assert target["datasource"] == panel["datasource"]
            if target["datasource"] == INFLUX:
                assert target["rawQuery"] is True
                assert "$timeFilter" in target["query"]
                assert "\"site\" = 'tower-1'" in target["query"]
            else:
                assert target["url"].startswith("/api/v1/")
                assert target["root_selector"] == "items"
    for mark in board["annotations"]["list"]:
        assert mark["datasource"] == INFLUX


def test_a_class_board_shows_every_point_of_its_devices_once(
    site: Site, catalog: Catalog, all_boards: dict[str, Json]
) -> None:
    for asset_class in equipment.classes_of(site):
        board = all_boards[f"en/{asset_class}.json"]
        asked = "\n".join(
            target["query"]
            for row in board["panels"]
            if row["type"] == "row"
            for panel in inside(board, row)
            for target in panel["targets"]
        )
        for point in equipment.points_of(site, catalog, asset_class):
            assert asked.count(f"({quoted(point.key)})") == 1, point.key


def inside(board: Json, row: Json) -> list[Json]:
    """The panels under a row."""
    if row["collapsed"]:
        found: list[Json] = row["panels"]
        return found
    after = board["panels"][board["panels"].index(row) + 1 :]
    end = next((index for index, panel in enumerate(after) if panel["type"] == "row"), len(after))
    return list(after[:end])


def test_points_come_from_devices_narrowed_renamed_and_indexed(site: Site, catalog: Catalog) -> None:
    doors = [point.key for point in equipment.points_of(site, catalog, "access_control")]
    assert "door[4].contact" in doors
    assert "door[4].last_reason" in doors  # the payload gives the index; as far as the other points go
    assert "door[5].last_reason" not in doors
    assert "door[1].bypass" not in doors  # no device of the site gives it


def test_states_have_words_and_measurements_have_units(all_boards: dict[str, Json]) -> None:
    found = list(every_panel(all_boards["zh/elevator.json"]))
    timeline = next(
        panel for panel in found if panel["type"] == "state-timeline" and "制动器故障" in str(panel["fieldConfig"])
    )
    words = next(item for item in timeline["fieldConfig"]["overrides"] if item["matcher"]["options"] == "制动器故障")
    mapping = words["properties"][0]["value"][0]
    assert mapping["type"] == "value"
    assert mapping["options"]["1"] == {"text": "故障", "color": "red", "index": 1}
    speed = next(panel for panel in found if panel["title"] == "速度")
    assert speed["fieldConfig"]["defaults"]["unit"] == "velocityms"
    english = list(every_panel(all_boards["en/elevator.json"]))
    assert any(panel["title"] == "Speed" for panel in english)
    assert not any("速" in json.dumps(panel, ensure_ascii=False) for panel in english)


def test_one_plot_has_one_unit(site: Site, catalog: Catalog, all_boards: dict[str, Json]) -> None:
    units = {
        quoted(point.label.en): unit_of(point.unit)
        for asset_class in equipment.classes_of(site)
        for point in equipment.points_of(site, catalog, asset_class)
        if point.kind is Kind.ANALOG and asset_class == "power"
    }
    for panel in every_panel(all_boards["en/power.json"]):
        if panel["type"] == "timeseries":
            shown = {unit for label, unit in units.items() if f" AS {label}" in panel["targets"][0]["query"]}
            assert shown == {panel["fieldConfig"]["defaults"]["unit"]}, panel["title"]


def test_a_silence_is_not_drawn_as_a_line(all_boards: dict[str, Json]) -> None:
    for board in all_boards.values():
        for panel in every_panel(board):
            if panel["type"] in ("timeseries", "state-timeline"):
                assert panel["fieldConfig"]["defaults"]["custom"]["spanNulls"] == panels.GAP_MS


def test_the_choice_of_an_asset_survives_strange_names(all_boards: dict[str, Json]) -> None:
    (variable,) = all_boards["en/elevator.json"]["templating"]["list"]
    assert [option["value"] for option in variable["options"]] == ["EL-01", "EL-02"]
    assert variable["query"] == "Lift 1 (EL-01) : EL-01, Lift 2： goods， north (EL-02) : EL-02"
    assert variable["current"]["value"] == "EL-01"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_one_board_is_the_stored_one(all_boards: dict[str, Json], language: str) -> None:
    stored = HERE / "golden" / f"access_control.{language}.json"
    made = text_of(all_boards[f"{language}/access_control.json"])
    assert made == stored.read_text(encoding="utf-8"), f"if this is meant, store the new board as {stored}"


def test_the_same_site_makes_the_same_boards(loaded: tuple[Site, Catalog], all_boards: dict[str, Json]) -> None:
    assert boards(*loaded, ("zh", "en")) == all_boards


def test_the_api_has_every_list_and_member_that_the_tables_ask_for(all_boards: dict[str, Json]) -> None:
    app = FastAPI()
    for module in (api.performance, api.alarms, api.tickets, api.assets, api.gateways, api.readings):
        app.include_router(module.router, prefix="/api/v1")
    spec = app.openapi()
    asked = {
        (target["url"], column["selector"])
        for board in all_boards.values()
        for panel in every_panel(board)
        for target in panel.get("targets", [])
        if target["datasource"] == API
        for column in target["columns"]
    }
    assert len(asked) > 50
    for url, member in sorted(asked):
        path, _, query = url.partition("?")
        get = spec["paths"][path]["get"]
        known = {parameter["name"] for parameter in get.get("parameters", [])}
        assert {item.partition("=")[0] for item in query.split("&") if item} <= known, url
        rows = get["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        row = spec["components"]["schemas"][rows]["properties"]["items"]["items"]["$ref"].rpartition("/")[2]
        assert member in spec["components"]["schemas"][row]["properties"], (url, member)


def test_every_unit_and_group_of_the_shipped_classes_has_a_name() -> None:
    assert {unit_of(code) for code in UNITS} >= {"celsius", "kwatt", "suffix: MPa", "suffix: kvarh", "none"}
    for code in UNITS:
        assert unit_of(code)
    lone = {"zones_in_alarm", "first_alarm_zone", "last_alarm_zone", "phase_angle", "unbalance", "residual_current"}
    for asset_class in load_catalog().classes.values():
        groups = {key.partition("[")[0].partition(".")[0] for key, point in asset_class.points.items()}
        missing = groups - set(GROUPS) - lone
        assert missing <= {"cable", "check_valve", "cabinet", "control", "starts_last_hour", "mains_ok",
                           "inflow_estimate", "fire_door", "stair"}  # fmt: skip
        assert asset_class.points[HEADLINES[asset_class.id]].kind is Kind.ANALOG


def test_colours_are_those_of_real_states() -> None:
    codes = {
        state.code
        for asset_class in load_catalog().classes.values()
        for point in asset_class.points.values()
        for state in point.states.values()
    }
    assert set(COLOURS) <= codes, set(COLOURS) - codes


@given(st.text(), st.text(), st.text())
def test_uids_are_short_and_tell_boards_apart(site_id: str, one: str, other: str) -> None:
    assert len(uid(site_id, one, "zh")) <= MAX_UID
    assert (uid(site_id, one, "zh") == uid(site_id, other, "zh")) == (one == other)


def test_names_can_not_add_to_a_query() -> None:
    assert quoted('a" FROM x; DROP') == '"a\\" FROM x; DROP"'
    assert literal("a' OR 1=1 --\\") == "'a\\' OR 1=1 --\\\\'"
