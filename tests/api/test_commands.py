"""Commands over HTTP: asked, approved by another, sent once, answered step by step; and all that is refused."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from sqlalchemy import select

from api.app import create_app
from api.auth import Role
from api.commander import BURST, EVERY_S
from facility.bus import Message
from facility.errors import BusError, StoreError
from facility.wire import Command, commands_topic, decode, encode, results_topic
from rules.life.commanding import APPROVAL_MS, ARRIVAL_MS, PATIENCE_MS
from rules.records.schema import audit
from tests.api.commandable import WHOLE_WAY, FakeGateway, commandable
from tests.api.house import House, a_house
from tests.api.test_problems import is_problem

SETPOINT = {"asset": "PS-01", "point": "sys.setpoint_pct", "value": 60, "ttl": 900, "reason": "夜间试运行"}
RUN = {"asset": "PS-01", "point": "sys.run", "value": "stopped", "reason": "7 层漏水"}


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    """A house whose pumps can be commanded, its live cache and commander following the bus, gateways online."""
    async with a_house(tmp_path, loaded=commandable(tmp_path)) as house:
        deps = house.deps
        tasks = [asyncio.create_task(deps.live.run()), asyncio.create_task(deps.commander.run())]
        for begun in (deps.live.listening, deps.commander.listening):
            await asyncio.wait_for(begun.wait(), 2)
        for gateway in deps.site.gateways:
            await house.status(gateway)
        yield house
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


@pytest.fixture
async def gateway(house: House) -> AsyncIterator[FakeGateway]:
    """The gateway of the pumps, answering the whole way."""
    gateway = FakeGateway(house.bus)
    task = asyncio.create_task(gateway.answer())
    await asyncio.sleep(0)
    yield gateway
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def ask(client: httpx.AsyncClient, house: House, role: str = "operator", **body: object) -> httpx.Response:
    return await client.post("/api/v1/commands", json={**SETPOINT, **body}, headers=house.auth(role))


async def act(client: httpx.AsyncClient, house: House, command: str, what: str, role: str) -> httpx.Response:
    return await client.post(f"/api/v1/commands/{command}/{what}", headers=house.auth(role))


async def seen(client: httpx.AsyncClient, house: House, command: str, shown: str) -> dict[str, object]:
    """The command once it has come to this state or step."""
    async with asyncio.timeout(5):
        while True:
            row: dict[str, object] = (
                await client.get(f"/api/v1/commands/{command}", headers=house.auth("viewer"))
            ).json()
            if shown in (row["state"], row["step"]):
                return row
            await asyncio.sleep(0.01)


async def test_from_the_wish_to_the_last_step(house: House, client: httpx.AsyncClient, gateway: FakeGateway) -> None:
    with house.deps.live.fanout.subscribe(kinds=frozenset({"command"})) as stream:
        answer = await ask(client, house)
        assert answer.status_code == 202, answer.text
        row = await seen(client, house, answer.json()["id"], "done")
        told = b"".join(item.wire for item in await stream.take())
    assert (row["state"], row["shown_zh"], row["shown_en"]) == ("ended", "已完成", "Done")
    assert (row["asked_by"], row["reason"], row["value_en"], row["zh"]) == (
        "operator",
        "夜间试运行",
        "60 %",
        "设定值比例",
    )
    steps = row["steps"]
    assert isinstance(steps, list)
    assert [step["step"] for step in steps] == list(WHOLE_WAY)
    assert [step["value_en"] for step in steps] == ["", "", "60 %", "60 %", ""]
    (command,) = gateway.taken
    now = house.clock.ms()
    assert command == Command(
        id=str(row["id"]), asset="PS-01", point="sys.setpoint_pct", value=60.0, by="operator", at=now,
        expires=now + ARRIVAL_MS, second="", ttl=900.0, reason="夜间试运行",
    )  # fmt: skip
    assert told.count(b"event: command") == 6
    assert b'"step":"reading_back"' in told
    async with house.deps.records.reading() as connection:
        rows = await connection.execute(select(audit.c.action).where(audit.c.object == row["id"]).order_by(audit.c.id))
        actions = list(rows.scalars())
    assert actions == ["command.ask", *(f"command.{step}" for step in WHOLE_WAY)]


async def test_a_state_by_its_code_and_the_longest_time(
    house: House, client: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    answer = await ask(client, house, point="sys.operation_mode", value="min", ttl=None)
    await seen(client, house, answer.json()["id"], "done")
    answer = await ask(client, house, ttl=None)
    await seen(client, house, answer.json()["id"], "done")
    assert [(command.value, command.ttl) for command in gateway.taken] == [(4, 0.0), (60.0, 3600.0)]


async def test_two_people_are_needed_where_the_profile_says_so(
    house: House, client: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    answer = await ask(client, house, **RUN, ttl=None)
    row = answer.json()
    assert (answer.status_code, row["state"], row["moves"]) == (202, "awaiting_second", ["cancel"])
    assert gateway.taken == []
    body = is_problem(await act(client, house, row["id"], "approve", "operator"), 403, "not-allowed")
    assert body["reason"] == "same_person"
    for role in ("viewer", "crew"):
        assert (await act(client, house, row["id"], "approve", role)).status_code == 403
    house.clock.forward(120)
    for name in house.deps.site.gateways:
        await house.say(name)
    answer = await act(client, house, row["id"], "approve", "manager")
    assert (answer.status_code, answer.json()["approved_by"]) == (200, "manager")
    await seen(client, house, row["id"], "done")
    (command,) = gateway.taken
    assert (command.by, command.second, command.value) == ("operator", "manager", False)
    assert (command.at, command.expires) == (house.clock.ms(), house.clock.ms() + ARRIVAL_MS)
    body = is_problem(await act(client, house, row["id"], "approve", "admin"), 409, "illegal-transition")
    assert body["state"] == "ended"
    is_problem(await act(client, house, row["id"], "cancel", "admin"), 409, "illegal-transition")
    assert len(gateway.taken) == 1


async def test_an_approval_that_comes_too_late_sends_nothing(
    house: House, client: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    row = (await ask(client, house, **RUN, ttl=None)).json()
    house.clock.forward(APPROVAL_MS / 1000 + 1)
    body = is_problem(await act(client, house, row["id"], "approve", "manager"), 409, "illegal-transition")
    assert body["state"] == "expired"
    await seen(client, house, row["id"], "expired")
    assert gateway.taken == []


async def test_what_waits_can_be_withdrawn(house: House, client: httpx.AsyncClient, gateway: FakeGateway) -> None:
    row = (await ask(client, house, **RUN, ttl=None)).json()
    answer = await act(client, house, row["id"], "cancel", "operator")
    assert (answer.status_code, answer.json()["state"], answer.json()["shown_en"]) == (200, "cancelled", "Cancelled")
    is_problem(await act(client, house, row["id"], "approve", "manager"), 409, "illegal-transition")
    for what in ("approve", "cancel"):
        is_problem(await act(client, house, "C-none", what, "manager"), 404, "not-found")
    assert gateway.taken == []


async def test_life_safety_is_refused_with_words(house: House, client: httpx.AsyncClient) -> None:
    for asset, point in (("EL-01", "car.floor"), ("FA-01", "dev.heartbeat")):
        body = is_problem(await ask(client, house, "admin", asset=asset, point=point, value=1), 403, "not-allowed")
        assert body["reason"] == "life_safety"
        assert "never commanded" in str(body["detail"])
    assert (await client.get("/api/v1/commands", headers=house.auth("viewer"))).json()["items"] == []


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"asset": "XX-99"}, 404, "no asset"),
        ({"point": "sys.nothing"}, 404, "no point"),
        ({"point": "sys.flow"}, 422, "can't be commanded"),
        ({"value": 81}, 422, "outside 20 to 80"),
        ({"value": "60"}, 422, "none of"),
        ({"value": True}, 422, "takes a number"),
        ({"value": None}, 422, "value"),
        ({"value": [60]}, 422, "value"),
        ({"point": "sys.operation_mode", "value": "stop", "ttl": None}, 422, "none of auto"),
        ({"ttl": 3601}, 422, "at most 3600 s"),
        ({"ttl": 0}, 422, "has to end"),
        ({"ttl": -1}, 422, "ttl"),
        ({"reason": "  "}, 422, "reason"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
async def test_what_may_not_be_asked_is_named_and_not_recorded(
    house: House, client: httpx.AsyncClient, change: dict[str, object], status: int, words: str
) -> None:
    answer = await ask(client, house, **change)
    body = is_problem(answer, status, {404: "not-found", 422: "invalid"}[status])
    assert words in str(body["detail"])
    assert (await client.get("/api/v1/commands", headers=house.auth("viewer"))).json()["items"] == []


@pytest.mark.parametrize("text", ['{"value": NaN}', '{"value": Infinity}', '{"value": 1e400}', "[]", "nothing"])
async def test_no_numbers_that_are_none(house: House, client: httpx.AsyncClient, text: str) -> None:
    body = text.replace("{", '{"asset": "PS-01", "point": "sys.setpoint_pct", "reason": "x", ')
    headers = {**house.auth("operator"), "content-type": "application/json"}
    answer = await client.post("/api/v1/commands", content=body, headers=headers)
    assert answer.status_code == 422, answer.text


async def test_a_broker_that_is_away_fails_the_command_at_once(
    house: House, client: httpx.AsyncClient, gateway: FakeGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object, **__: object) -> None:
        raise BusError("no connection to the MQTT broker")

    monkeypatch.setattr(house.bus, "publish", away)
    body = is_problem(await ask(client, house), 503, "unavailable")
    monkeypatch.undo()
    row = await seen(client, house, str(body["command"]), "failed")
    assert "no connection" in str(row["message"])
    assert (await client.get("/metrics", headers=house.auth("viewer"))).text.count("commands_undelivered 1.0") == 1
    # it is not sent when the broker is back
    await house.status("gw-1")
    assert gateway.taken == []


async def test_a_gateway_that_is_offline_is_not_waited_for(house: House, client: httpx.AsyncClient) -> None:
    await house.status("gw-1", online=False)
    await asyncio.sleep(0.05)
    body = is_problem(await ask(client, house), 503, "unavailable")
    assert "gw-1 is offline" in str(body["detail"])
    await seen(client, house, str(body["command"]), "failed")


async def test_an_answer_after_all_is_believed(house: House, client: httpx.AsyncClient) -> None:
    await house.status("gw-1", online=False)
    await asyncio.sleep(0.05)
    command = str((await ask(client, house)).json()["command"])
    sent = Command(command, "PS-01", "sys.setpoint_pct", 60.0, "operator", house.clock.ms(), 0)
    await FakeGateway(house.bus).tell(sent, "done", house.clock.ms(), final=True)
    row = await seen(client, house, command, "done")
    assert row["state"] == "ended"


async def test_no_answer_is_said_after_forty_seconds(house: House, client: httpx.AsyncClient) -> None:
    row = (await ask(client, house)).json()
    house.clock.forward((ARRIVAL_MS + PATIENCE_MS) / 1000)
    assert await house.deps.commander.desk.sweep(house.clock.ms()) == []
    house.clock.forward(0.001)
    found = await seen(client, house, row["id"], "no_answer")
    assert (found["shown_zh"], found["shown_en"]) == ("网关未答复", "No answer")


async def test_a_refusal_and_a_word_that_nobody_knows(
    house: House, client: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    gateway.steps, gateway.message = ("received", "pondering", "refused"), "sys.remote_access is local"
    row = await seen(client, house, (await ask(client, house)).json()["id"], "refused")
    assert (row["message"], row["shown_zh"]) == ("sys.remote_access is local", "网关拒绝")
    steps = row["steps"]
    assert isinstance(steps, list)
    assert [step["zh"] for step in steps] == ["网关已收到", "pondering", "网关拒绝"]


async def test_what_strangers_say_is_counted_and_changes_nothing(house: House, client: httpx.AsyncClient) -> None:
    commander = house.deps.commander
    row = (await ask(client, house)).json()
    command = Command(row["id"], "PS-01", "sys.setpoint_pct", 60.0, "x", 0, 0)
    await FakeGateway(house.bus, id="gw-2").tell(command, "done", 5, final=True)
    await FakeGateway(house.bus).tell(command, "done", -5, final=True)
    for payload in (b"", b"{}", b"\xff", b"[1]", encode(command)):
        await house.bus.publish(results_topic("tower", "gw-1"), payload)
    await FakeGateway(house.bus).tell(command, "received", 5)
    await FakeGateway(house.bus).tell(command, "received", 5)
    found = await seen(client, house, row["id"], "received")
    assert found["state"] == "sent"
    async with asyncio.timeout(2):
        while commander.counts["repeated"] == 0:
            await asyncio.sleep(0.01)
    assert {name: commander.counts[name] for name in ("strangers", "undecodable", "steps", "repeated")} == {
        "strangers": 2, "undecodable": 5, "steps": 1, "repeated": 1,
    }  # fmt: skip


async def test_a_step_waits_for_records_that_are_away(
    house: House, client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    commander = house.deps.commander
    row = (await ask(client, house)).json()
    hear, failures = commander.desk.hear, iter([True, True, False])
    waits: list[float] = []

    async def sometimes(*given: object, **named: object) -> object:
        if next(failures):
            raise StoreError("records", "locked")
        return await hear(*given, **named)  # type: ignore[arg-type]

    async def wait(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr(commander.desk, "hear", sometimes)
    monkeypatch.setattr(commander, "_clock", type("Held", (), {"ms": house.clock.ms, "sleep": staticmethod(wait)}))
    told = b'{"id":"%s","asset":"PS-01","point":"sys.setpoint_pct","step":"received","at":5}' % row["id"].encode()
    await commander.take(Message(results_topic("tower", "gw-1"), told))
    monkeypatch.undo()
    assert waits == [2.0, 2.0]
    await seen(client, house, row["id"], "received")


async def test_one_user_is_slowed_down_and_no_other(
    house: House, client: httpx.AsyncClient, gateway: FakeGateway
) -> None:
    for _ in range(BURST):
        assert (await ask(client, house)).status_code == 202
    answer = await ask(client, house)
    is_problem(answer, 429, "too-many-tries")
    assert int(answer.headers["retry-after"]) <= EVERY_S
    assert (await ask(client, house, "manager")).status_code == 202
    house.clock.forward(EVERY_S)
    assert (await ask(client, house)).status_code == 202


async def test_pages_and_filters(house: House, client: httpx.AsyncClient, gateway: FakeGateway) -> None:
    ids = []
    for _ in range(5):
        ids.append((await ask(client, house)).json()["id"])
        house.clock.forward(1)
    headers = house.auth("viewer")
    first = (await client.get("/api/v1/commands?limit=3", headers=headers)).json()
    rest = (await client.get(f"/api/v1/commands?limit=3&cursor={first['next']}", headers=headers)).json()
    assert [row["id"] for row in first["items"] + rest["items"]] == ids[::-1]
    assert rest["next"] is None
    assert all(not isinstance(value, dict) for row in first["items"] for value in row.values())
    for query, count in (("asset=PS-01", 5), ("asset=PW-01", 0), ("state=cancelled", 0), ("state=sent&state=ended", 5)):
        rows = (await client.get(f"/api/v1/commands?{query}", headers=headers)).json()["items"]
        assert len(rows) == count, query
    assert all(row["moves"] == [] for row in first["items"])
    is_problem(await client.get("/api/v1/commands?state=lost", headers=headers), 422, "invalid")
    is_problem(await client.get("/api/v1/commands/C-none", headers=headers), 404, "not-found")


async def test_points_tell_how_they_are_commanded(house: House, client: httpx.AsyncClient) -> None:
    rows = (await client.get("/api/v1/assets/PS-01/points", headers=house.auth("viewer"))).json()["items"]
    writable = {row["point"]: row["writable"] for row in rows}
    assert writable["sys.flow"] is None
    assert writable["sys.setpoint_pct"] == {
        "low": 20.0, "high": 80.0, "choices": [], "two_people": False, "longest": 3600.0, "feedback": None,
        "requires": [{"point": "sys.remote_access", "low": None, "high": None, "equals": "bus"}],
    }  # fmt: skip
    run = writable["sys.run"]
    assert (run["two_people"], run["choices"]) == (True, ["stopped", "running"])
    assert run["feedback"] == {"point": "sys.run", "within": 30.0, "margin": 0.0}
    lift = (await client.get("/api/v1/assets/EL-01/points", headers=house.auth("viewer"))).json()["items"]
    assert {row["writable"] for row in lift} == {None}


@pytest.mark.parametrize("role", Role)
async def test_who_may_command(house: House, client: httpx.AsyncClient, role: Role) -> None:
    may = role in (Role.OPERATOR, Role.MANAGER, Role.ADMIN)
    answer = await ask(client, house, role.value)
    assert answer.status_code == (202 if may else 403)
    waiting = (await ask(client, house, "operator" if role is not Role.OPERATOR else "admin", **RUN, ttl=None)).json()
    row = (await client.get(f"/api/v1/commands/{waiting['id']}", headers=house.auth(role.value))).json()
    assert row["moves"] == (["approve", "cancel"] if may else [])


async def test_the_description_has_examples(house: House) -> None:
    described = create_app(house.deps, console=False).openapi()
    body = described["paths"]["/api/v1/commands"]["post"]["requestBody"]["content"]["application/json"]
    assert {"number", "state"} <= set(body["examples"])


async def test_a_command_goes_to_its_own_gateway_only(house: House, client: httpx.AsyncClient) -> None:
    async with house.bus.subscribe(commands_topic("tower", "+")) as subscription:
        row = (await ask(client, house)).json()
        message = await anext(aiter(subscription))
        assert subscription.take_nowait() is None
    assert message.topic == "fm/v1/tower/gw-1/commands"
    assert decode(Command, message.payload).id == row["id"]
