"""The live stream, over a real server: nothing is lost, the slow are cut and told, it ends when the server does."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from time import perf_counter

import httpx
import pytest

from api.app import create_app
from api.fanout import Fanout, TooManyClientsError, event
from api.server import ListenError, serve
from facility.presence import SILENT_MS
from facility.wire import AlarmNotice, alarms_topic, encode
from tests.api.house import NOW, House


class Served:
    """A server on a free port, and how to stop it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.url = ""
        self.task: asyncio.Task[None] | None = None

    async def start(self, *, console: bool = False) -> None:
        ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        app = create_app(self.house.deps, console=console)
        self.task = asyncio.create_task(serve(app, port=0, ready=lambda _, port: ready.set_result(port)))
        self.url = f"http://127.0.0.1:{await asyncio.wait_for(ready, 5)}"

    async def stop(self) -> None:
        if self.task:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task
            self.task = None


@pytest.fixture
async def served(house: House) -> AsyncIterator[Served]:
    served = Served(house)
    await served.start()
    yield served
    await served.stop()


class Listener:
    """One client of the stream: its events as (kind, id, data), as they come."""

    def __init__(self, url: str, headers: dict[str, str]) -> None:
        self.events: list[tuple[str, str, dict[str, object]]] = []
        self.open = asyncio.Event()
        self.more = asyncio.Event()
        self.task = asyncio.create_task(self._run(url, headers))

    async def _run(self, url: str, headers: dict[str, str]) -> None:
        async with (
            httpx.AsyncClient(timeout=None) as client,
            client.stream("GET", url, headers=headers) as answer,
        ):
            assert answer.status_code == 200, await answer.aread()
            assert answer.headers["content-type"].startswith("text/event-stream")
            kind = number = ""
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "retry":
                    self.open.set()
                elif name == "event":
                    kind = value
                elif name == "id":
                    number = value
                elif name == "data":
                    self.events.append((kind, number, json.loads(value)))
                    kind = number = ""
                    self.more.set()

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.events) < count:
                self.more.clear()
                await self.more.wait()

    async def close(self) -> None:
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task


def notice(number: int) -> AlarmNotice:
    return AlarmNotice(
        id=f"a{number}", rule="r", asset="EL-01", asset_class="elevator", severity=1, state="unacknowledged",
        suppression="none", event="raise", at=NOW, version=1, zh="困人", en="Entrapment",
    )  # fmt: skip


async def test_changes_arrive_as_they_happen(house: House, served: Served) -> None:
    listener = Listener(f"{served.url}/api/v1/stream", house.auth("viewer"))
    await asyncio.wait_for(listener.open.wait(), 20)
    await house.reading("EL-01", "car.floor", 7)
    await house.bus.publish(alarms_topic("tower"), encode(notice(1)))
    await house.status("gw-1", online=False)
    await listener.until(3)
    assert [kind for kind, _, _ in listener.events] == ["readings", "alarm", "gateway"]
    assert listener.events[0][2] == {"asset": "EL-01", "at": NOW, "values": {"car.floor": 7}, "quality": {}}
    assert listener.events[1][2]["en"] == "Entrapment"
    assert listener.events[1][1]
    await listener.close()


@pytest.mark.slow
async def test_a_frozen_gateway_is_told_though_nothing_arrives(house: House, served: Served) -> None:
    await house.reading("FA-01", "panel.mode", 1, gateway="gw-2")
    listener = Listener(f"{served.url}/api/v1/stream?kinds=gateway,stale", house.auth("viewer"))
    await asyncio.wait_for(listener.open.wait(), 20)
    house.clock.forward(SILENT_MS / 1000 + 1)
    await house.status("gw-1")
    async with asyncio.timeout(20):
        while not any(kind == "stale" for kind, _, _ in listener.events):
            await listener.until(len(listener.events) + 1)
    told = [(kind, data) for kind, _, data in listener.events if data.get("online") is not True]
    at = NOW + SILENT_MS + 1_000
    assert told == [
        ("gateway", {"gateway": "gw-2", "online": False, "at": at}),
        ("stale", {"asset": "FA-01", "at": at, "stale": ["panel.mode"], "fresh": []}),
    ]
    await listener.close()


async def test_a_client_gets_what_it_asked_for(house: House, served: Served) -> None:
    listener = Listener(f"{served.url}/api/v1/stream?assets=EL-02&kinds=readings", house.auth("viewer"))
    await asyncio.wait_for(listener.open.wait(), 20)
    await house.bus.publish(alarms_topic("tower"), encode(notice(1)))
    await house.reading("EL-01", "car.floor", 1)
    await house.reading("EL-02", "car.floor", 2)
    await listener.until(1)
    assert [data["asset"] for _, _, data in listener.events] == ["EL-02"]
    await listener.close()


async def test_a_returning_client_gets_the_alarms_it_missed(house: House, served: Served) -> None:
    for number in range(3):
        await house.bus.publish(alarms_topic("tower"), encode(notice(number)))
    headers = {**house.auth("viewer"), "last-event-id": f"{NOW:x}-1"}
    listener = Listener(f"{served.url}/api/v1/stream", headers)
    await listener.until(2)
    assert [data["id"] for _, _, data in listener.events] == ["a1", "a2"]
    await listener.close()
    listener = Listener(f"{served.url}/api/v1/stream", {**headers, "last-event-id": "another-7"})
    await listener.until(1)
    assert listener.events[0][0] == "resync"
    await listener.close()


async def test_what_the_stream_does_not_know_is_refused(house: House, client: httpx.AsyncClient) -> None:
    for query, status in (("kinds=weather", 422), ("assets=EL-99", 404)):
        answer = await client.get(f"/api/v1/stream?{query}", headers=house.auth("viewer"))
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.slow
async def test_fifty_clients_get_every_event(house: House, served: Served) -> None:
    listeners = [Listener(f"{served.url}/api/v1/stream", house.auth("viewer")) for _ in range(50)]
    for listener in listeners:
        await asyncio.wait_for(listener.open.wait(), 10)
    for number in range(100):
        house.clock.forward(0.01)
        await house.reading("EL-01", "car.floor", number)
    for listener in listeners:
        await listener.until(100)
        assert [data["values"]["car.floor"] for _, _, data in listener.events] == list(range(100))  # type: ignore[index]
        await listener.close()
    assert house.deps.live.fanout.cut == 0


@pytest.mark.slow
async def test_the_server_stops_in_time_with_streams_open_and_says_so(house: House, served: Served) -> None:
    listeners = [Listener(f"{served.url}/api/v1/stream", house.auth("viewer")) for _ in range(5)]
    for listener in listeners:
        await asyncio.wait_for(listener.open.wait(), 20)
    start = perf_counter()
    await served.stop()
    assert perf_counter() - start < 3
    for listener in listeners:
        await asyncio.wait_for(listener.task, 2)
        assert listener.events[-1][0] == "cut"
        assert listener.events[-1][2] == {"reason": "stopping"}


async def test_a_taken_port_is_said_clearly(house: House, served: Served) -> None:
    port = int(served.url.rpartition(":")[2])
    with pytest.raises(ListenError, match="choose another"):
        await serve(create_app(house.deps, console=False), port=port)


async def test_a_slow_client_is_cut_and_the_others_are_not() -> None:
    fanout = Fanout(limit=5)
    with fanout.subscribe() as slow, fanout.subscribe() as quick:
        got = []
        for number in range(20):
            fanout.publish(event("readings", {"n": number}, asset="EL-01"))
            got += await quick.take()
        assert len(got) == 20
        assert fanout.cut == 1
        assert len(await slow.take()) == 5
        assert slow.cut == "slow"
        assert await slow.take() == []


def test_the_stream_has_room_for_so_many() -> None:
    fanout = Fanout(clients=2)
    with fanout.subscribe(), fanout.subscribe():
        with pytest.raises(TooManyClientsError), fanout.subscribe():
            pass
        assert len(fanout) == 2
    assert len(fanout) == 0
