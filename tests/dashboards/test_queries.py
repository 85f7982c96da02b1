"""Every InfluxQL target runs on a real InfluxDB over what ingest writes, and gives what its panel shows."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from dashboards import equipment
from dashboards.panels import Json
from dashboards.queries import INFLUX
from facility.catalog import Catalog
from facility.config import Site
from facility.points import Kind, Point
from facility.readings import Quality, Sample, Value
from facility.wire import AlarmNotice, Batch
from ingest.lineprotocol import Lines
from ingest.store import Delivery
from tests.services.influx import InfluxServer

T0 = 1_790_000_000_000
BUCKET = "boards"


@pytest.fixture(scope="module")
def filled(influx: InfluxServer, site: Site, catalog: Catalog) -> str:
    """A bucket with two readings of every point of every asset, one bad, and three alarms."""
    influx.fresh(BUCKET)
    lines = Lines(site.id, catalog)
    samples = []
    for asset in site.assets.values():
        points = equipment.points_of(site, catalog, asset.asset_class)
        if not points:
            continue  # a gateway: no device reads it
        for step in (0, 1):
            at = T0 + step * 60_000
            values: dict[str, Value] = {point.key: value_of(point, step) for point in points}
            samples.append(Sample(asset.id, at, values, {}))
        first = points[0].key
        samples.append(Sample(asset.id, T0 + 120_000, {first: None}, {first: Quality.COMM}))
    classes = {asset.id: asset.asset_class for asset in site.assets.values()}
    refused: list[Any] = []
    texts, _ = lines.build(Delivery("gw-1", Batch("b", 1, samples), classes), refused)
    assert not refused
    for number, rule in enumerate(("elevator.entrapment", "elevator.entrapment", "elevator.stuck")):
        notice = AlarmNotice(
            f"a{number}",
            rule,
            "EL-01",
            "elevator",
            1,
            "unacknowledged",
            "none",
            "raise",
            T0 + number * 1000,
            1,
            "困人",
            "Stuck",
        )
        texts.append(lines.alarm(notice))
    url = f"{influx.direct}/write?db={BUCKET}&precision=ms&u=caretaker&p={influx.token.partition(':')[2]}"
    with urllib.request.urlopen(urllib.request.Request(url, "\n".join(texts).encode()), timeout=20) as answer:
        assert answer.status == 204
    return BUCKET


def value_of(point: Point, step: int) -> Value:
    """A possible value of a point."""
    if point.kind is Kind.DISCRETE:
        return bool(step)
    if point.kind is Kind.ENUM:
        return sorted(point.states)[-1]
    if point.kind is Kind.TEXT:
        return "text"
    return 1.5 + step


def targets(board: Json) -> Iterator[tuple[Json, Json]]:
    """(panel, target) of every InfluxQL target of a board."""
    for panel in board["panels"]:
        for inner in (panel, *panel.get("panels", [])):
            for target in inner.get("targets", []):
                if target["datasource"] == INFLUX:
                    yield inner, target


def filled_in(query: str, asset: str) -> str:
    """A query with Grafana's macros replaced as Grafana replaces them."""
    query = query.replace("$timeFilter", f"time >= {T0 - 60_000}ms and time <= {T0 + 600_000}ms")
    query = query.replace("$__interval", "60s").replace("$asset", asset)
    assert "$" not in query
    return query


def series(influx: InfluxServer, bucket: str, query: str) -> list[dict[str, Any]]:
    """The tables of an answer; fails on an error of the server."""
    answer: Any = influx.query(query, database=bucket)
    (result,) = answer["results"]
    assert "error" not in result, (query, result)
    found: list[dict[str, Any]] = result.get("series", [])
    return found


@pytest.mark.slow
@pytest.mark.service("influxd")
@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_target_of_a_class_board_gives_its_columns(
    influx: InfluxServer, filled: str, site: Site, all_boards: dict[str, Json], language: str
) -> None:
    count = 0
    for asset_class in equipment.classes_of(site):
        asset = next(asset.id for asset in site.assets.values() if asset.asset_class == asset_class)
        for panel, target in targets(all_boards[f"{language}/{asset_class}.json"]):
            (found,) = series(influx, filled, filled_in(target["query"], asset))
            assert found["name"] == asset_class
            labels = [part.rpartition(' AS "')[2].rstrip('"') for part in _columns(target["query"])]
            assert found["columns"] == ["time", *labels], panel["title"]
            for index, label in enumerate(labels, 1):
                assert any(row[index] is not None for row in found["values"]), (panel["title"], label)
            count += 1
    assert count > 60


def _columns(query: str) -> list[str]:
    return query.removeprefix("SELECT ").partition(" FROM ")[0].split(", ")


@pytest.mark.slow
@pytest.mark.service("influxd")
@pytest.mark.parametrize("name", ["overview", "alarms"])
def test_every_other_target_gives_rows(
    influx: InfluxServer, filled: str, all_boards: dict[str, Json], name: str
) -> None:
    for panel, target in targets(all_boards[f"en/{name}.json"]):
        found = series(influx, filled, filled_in(target["query"], ""))
        assert found, panel["title"]
        tag = target["alias"].removeprefix("$tag_")
        if tag:
            assert all(item["tags"].get(tag) for item in found), panel["title"]


@pytest.mark.service("influxd")
def test_the_overview_compares_the_lifts(influx: InfluxServer, filled: str, all_boards: dict[str, Json]) -> None:
    query = next(
        target["query"]
        for panel, target in targets(all_boards["en/overview.json"])
        if panel["title"].startswith("Elevator")
    )
    found = series(influx, filled, filled_in(query, ""))
    assert [item["tags"]["asset"] for item in found] == ["EL-01", "EL-02"]


@pytest.mark.service("influxd")
def test_alarms_are_counted_and_marked(influx: InfluxServer, filled: str, all_boards: dict[str, Json]) -> None:
    board = all_boards["en/alarms.json"]
    rules = next(target["query"] for panel, target in targets(board) if panel["title"].startswith("Rules"))
    counts = {item["tags"]["rule"]: item["values"][0][1] for item in series(influx, filled, filled_in(rules, ""))}
    assert counts == {"elevator.entrapment": 2, "elevator.stuck": 1}
    (mark,) = all_boards["zh/elevator.json"]["annotations"]["list"]
    (found,) = series(influx, filled, filled_in(mark["query"], "EL-01"))
    assert found["columns"] == ["time", "zh", "asset", "rule"]
    assert found["values"][0][1:] == ["困人", "EL-01", "elevator.entrapment"]
    assert series(influx, filled, filled_in(mark["query"], "EL-02")) == []
