"""Every address that the boards of a site without InfluxDB ask is asked of our API, and gives what its panel shows."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from dashboards import equipment, panels
from dashboards.build import boards
from dashboards.infinity import ApiReadings
from dashboards.panels import Json
from dashboards.queries import API
from facility.catalog import Catalog
from facility.config import Site
from facility.points import Kind, Label, Point
from facility.readings import Quality, Sample, Value
from facility.settings import ReadingsSettings
from facility.wire import AlarmNotice
from tests.api.house import NOW, House, a_house

HERE = Path(__file__).parent
FROM, TO = NOW - 600_000, NOW + 1000


@pytest.fixture(scope="module")
def api_boards(loaded: tuple[Site, Catalog]) -> dict[str, Json]:
    """The boards of the same site when its readings are in DuckDB."""
    site, catalog = loaded
    settings = site.settings.model_copy(update={"readings": ReadingsSettings()})
    return boards(dataclasses.replace(site, settings=settings), catalog, ("zh", "en"))


@pytest.fixture
async def house(tmp_path: Path, site: Site, catalog: Catalog) -> AsyncIterator[House]:
    """A house of that site: two readings of every point of every asset, one bad one, three alarms."""
    async with a_house(tmp_path, site_folder=HERE / "site") as house:
        task = asyncio.create_task(house.deps.live.run())
        await asyncio.wait_for(house.deps.live.listening.wait(), 2)
        await house.status("gw-1")
        for asset in site.assets.values():
            points = equipment.points_of(site, catalog, asset.asset_class)
            if not points:
                continue  # a gateway: no device reads it
            for step in (0, 1):
                values = {point.key: value_of(point, step) for point in points}
                await house.publish(Sample(asset.id, NOW - 60_000 * (1 - step), values))
            bad = points[0].key
            await house.publish(Sample(asset.id, NOW - 120_000, {bad: None}, {bad: Quality.COMM}))
        for number, (asset, rule) in enumerate((("EL-01", "stuck"), ("EL-01", "stuck"), ("EL-02", "water"))):
            for event in ("raise", "clear"):
                await house.deps.store.write_alarm(notice(number, asset, rule, event))
        yield house
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


@pytest.fixture
async def client(house: House) -> AsyncIterator[httpx.AsyncClient]:
    """A viewer's client, as Grafana is one."""
    transport = httpx.ASGITransport(create_app(house.deps, console=False))
    async with httpx.AsyncClient(transport=transport, base_url="http://api", headers=house.auth("viewer")) as client:
        yield client


def value_of(point: Point, step: int) -> Value:
    """A possible value of a point."""
    if point.kind is Kind.DISCRETE:
        return bool(step)
    if point.kind is Kind.ENUM:
        return sorted(point.states)[-1]
    return "text" if point.kind is Kind.TEXT else 1.5 + step


def notice(number: int, asset: str, rule: str, event: str) -> AlarmNotice:
    """One transition of an alarm of a lift."""
    at = NOW - 300_000 + number * 60_000
    version = 1 if event == "raise" else 2
    return AlarmNotice(
        f"a{number}", rule, asset, "elevator", 1, "unacknowledged", "none", event, at, version, "困人", "Stuck"
    )


def targets(board: Json) -> Iterator[tuple[Json, Json]]:
    """(panel, target) of every target of a board about readings or alarms over time, its annotations too."""
    for mark in board["annotations"]["list"]:
        yield mark | {"title": mark["name"]}, mark["target"]
    for panel in board["panels"]:
        for inner in (panel, *panel.get("panels", [])):
            for target in inner.get("targets", []):
                if "/wide" in target["url"] or "/raised" in target["url"] or "/latest" in target["url"]:
                    yield inner, target


def filled_in(url: str, asset: str) -> str:
    """An address with Grafana's macros replaced as Grafana replaces them."""
    url = url.replace("${__from}", str(FROM)).replace("${__to}", str(TO)).replace("$asset", asset)
    assert "$" not in url
    return url


async def rows_of(client: httpx.AsyncClient, target: Json, asset: str) -> list[Json]:
    """What an address gives under the root that its target names."""
    answer = await client.get(filled_in(target["url"], asset))
    assert answer.status_code == 200, (target["url"], answer.text)
    rows: list[Json] = answer.json()[target["root_selector"]]
    return rows


def fits(value: Any, kind: str) -> bool:
    """Whether Infinity takes a JSON value as a column's type; null fits all."""
    if value is None:
        return True
    if kind in ("string", "timestamp"):
        return isinstance(value, str)
    return isinstance(value, int if kind == "timestamp_epoch" else (int, float)) and not isinstance(value, bool)


@pytest.mark.slow
@pytest.mark.parametrize("language", ["zh", "en"])
async def test_every_panel_of_a_class_board_gets_its_columns(
    client: httpx.AsyncClient, site: Site, api_boards: dict[str, Json], language: str
) -> None:
    count = 0
    for asset_class in equipment.classes_of(site):
        asset = next(asset.id for asset in site.assets.values() if asset.asset_class == asset_class)
        for panel, target in targets(api_boards[f"{language}/{asset_class}.json"]):
            if asset_class != "elevator" and "/raised" in target["url"]:
                continue  # only lifts had alarms
            rows = await rows_of(client, target, asset)
            assert rows, panel["title"]
            live = "/latest?" in target["url"]
            for column in target["columns"]:
                cells = [row[column["selector"]] for row in rows]
                assert any(cell is not None for cell in cells), (panel["title"], column["text"])
                assert live or all(fits(cell, column["type"]) for cell in cells), (panel["title"], column)
            count += 1
    assert count > 60


@pytest.mark.slow
@pytest.mark.parametrize("name", ["overview", "alarms"])
async def test_every_other_panel_gets_rows(client: httpx.AsyncClient, api_boards: dict[str, Json], name: str) -> None:
    for panel, target in targets(api_boards[f"en/{name}.json"]):
        rows = await rows_of(client, target, "")
        assert rows, panel["title"]
        for column in target["columns"]:
            cells = [row[column["selector"]] for row in rows]
            assert all(fits(cell, column["type"]) for cell in cells), (panel["title"], column)
            assert any(cell is not None for cell in cells), (panel["title"], column["text"])


async def asked(client: httpx.AsyncClient, board: Json, title: str, asset: str = "") -> list[Json]:
    """The rows of the panel whose title begins so, under the columns' headings."""
    target = next(target for panel, target in targets(board) if panel["title"].startswith(title))
    rows = await rows_of(client, target, asset)
    return [{column["text"]: row[column["selector"]] for column in target["columns"]} for row in rows]


async def test_the_overview_compares_the_lifts(client: httpx.AsyncClient, api_boards: dict[str, Json]) -> None:
    rows = await asked(client, api_boards["en/overview.json"], "Elevator")
    assert set(rows[0]) == {"Time", "EL-01", "EL-02"}
    assert [row["EL-02"] for row in rows if row["EL-02"] is not None] == [1.5, 2.5]
    step = rows[1]["Time"] - rows[0]["Time"]
    assert rows[0]["Time"] % step == 0
    assert rows[0]["Time"] <= FROM < rows[0]["Time"] + step
    assert rows[-1]["Time"] < TO <= rows[-1]["Time"] + step


async def test_an_unchanged_value_reaches_the_present_and_a_stale_one_does_not(
    client: httpx.AsyncClient, house: House, api_boards: dict[str, Json]
) -> None:
    board = api_boards["en/overview.json"]
    for forward in (90, 5):  # then the question comes some seconds after the end of the plot
        house.clock.forward(forward)
        await house.status("gw-1")
        rows = await last_rows(client, board, NOW + 90_000)
        assert [row["EL-01"] for row in rows[-3:]] == [None, None, 2.5]
    house.clock.forward(3 * 86_400)
    assert (await last_rows(client, board, house.clock.ms()))[-1]["EL-01"] is None
    assert (await last_rows(client, board, NOW + 90_000))[-1]["EL-01"] is None


async def last_rows(client: httpx.AsyncClient, board: Json, end: int) -> list[Json]:
    """The overview's plot of the lifts over the last minutes before an instant."""
    target = next(target for panel, target in targets(board) if panel["title"].startswith("Elevator"))
    ended = target | {"url": target["url"].replace("${__from}", str(end - 150_000)).replace("${__to}", str(end))}
    rows = await rows_of(client, ended, "")
    return [{column["text"]: row[column["selector"]] for column in target["columns"]} for row in rows]


async def test_states_are_numbers_that_the_words_are_for(
    client: httpx.AsyncClient, api_boards: dict[str, Json]
) -> None:
    board = api_boards["zh/elevator.json"]
    panel, target = next(
        (panel, target) for panel, target in targets(board) if "制动器故障" in str(panel.get("fieldConfig"))
    )
    member = next(column["selector"] for column in target["columns"] if column["text"] == "制动器故障")
    rows = await rows_of(client, target, "EL-01")
    assert [row[member] for row in rows if row[member] is not None] == [0.0, 1.0]
    words = next(item for item in panel["fieldConfig"]["overrides"] if item["matcher"]["options"] == "制动器故障")
    assert set(words["properties"][0]["value"][0]["options"]) == {"0", "1"}


async def test_alarms_are_counted_and_marked(client: httpx.AsyncClient, api_boards: dict[str, Json]) -> None:
    board = api_boards["en/alarms.json"]
    assert await asked(client, board, "Rules by") == [
        {"Name": "Stuck", "rule": "stuck", "Times": 2},
        {"Name": "Stuck", "rule": "water", "Times": 1},
    ]
    assert (await asked(client, board, "Assets by"))[0] == {"Name": "Lift 1", "asset": "EL-01", "Times": 2}
    raised = await asked(client, board, "Alarms raised")
    assert (sum(row["Elevator"] for row in raised), sum(row["Fire alarm"] for row in raised)) == (3, 0)
    marks = await asked(client, api_boards["zh/elevator.json"], "报警", "EL-01")
    assert marks == [{"time": NOW - 300_000 + n * 60_000, "text": "困人", "tags": "EL-01"} for n in (0, 1)]


async def test_a_stale_value_is_no_large_number(
    client: httpx.AsyncClient, house: House, api_boards: dict[str, Json]
) -> None:
    board = api_boards["en/elevator.json"]
    (row,) = await asked(client, board, "Counters", "EL-01")
    assert row.pop("Time") == NOW
    assert set(row.values()) == {2.5}
    house.clock.forward(3 * 86_400)
    (row,) = await asked(client, board, "Counters", "EL-01")
    assert set(list(row.values())[1:]) == {None}


def test_texts_are_shown_and_the_time_is_not() -> None:
    model = Point("dev.model", Kind.TEXT, Label("型号", "Model"))
    target = ApiReadings().newest("elevator", [model], "en")
    assert [(column["text"], column["type"]) for column in target["columns"]] == [
        ("Time", "timestamp_epoch"),
        ("Model", "string"),
    ]
    panel = panels.stat("Texts", [target], [model], "en")
    assert panel["options"]["reduceOptions"]["fields"] == panels.NOT_TIME == "/^(?!Time$)/"


def test_no_panel_asks_for_an_influxdb(api_boards: dict[str, Json]) -> None:
    asked_of = [
        target["datasource"]
        for board in api_boards.values()
        for row in board["panels"]
        for panel in (row, *row.get("panels", []))
        for target in panel.get("targets", [])
    ]
    assert len(asked_of) > 200
    assert all(source == API for source in asked_of)


@pytest.mark.parametrize(
    ("path", "status", "words"),
    [
        ("history/wide?asset=EL-99&point=car.floor", 404, "EL-99"),
        ("history/wide?asset=EL-01&point=no.such", 404, "no.such"),
        ("history/wide?asset=EL-01", 422, "point"),
        ("history/wide?asset=EL-01&point=car.floor&start=5&end=5", 422, "before end"),
        ("history/wide?" + "asset=EL-01&" * 9 + "point=car.floor&" * 9, 422, "At most 64"),
        ("latest/wide?asset=EL-01&point=no.such", 404, "no.such"),
        ("raised?asset=EL-99", 404, "EL-99"),
        ("raised/wide?asset_class=boat", 404, "boat"),
        ("raised/counts?by=colour", 422, "by"),
    ],
)
async def test_a_wrong_question_is_told(client: httpx.AsyncClient, path: str, status: int, words: str) -> None:
    answer = await client.get(f"/api/v1/{path}", headers={"accept-language": "en"})
    assert answer.status_code == status
    assert words in answer.text
