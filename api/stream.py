"""Route: the live stream, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import StreamingResponse

from api.assets import find_asset
from api.deps import Deps, DepsOf, Reader
from api.fanout import KINDS, Event, Subscriber, TooManyClientsError, event
from api.problems import ApiError
from api.schemas import refusals
from facility.points import Label

router = APIRouter(tags=["stream"])

HEARTBEAT_S = 15.0
PIECE = 64
"""Events that go out in one write."""

_EXAMPLE = (
    'event: readings\ndata: {"asset":"EL-01","at":1790000000000,"values":{"car.floor":7},"quality":{}}\n\n'
    'event: stale\ndata: {"asset":"EL-02","at":1790000000000,"stale":["car.floor"],"fresh":[]}\n\n'
    'id: 19d2-41\nevent: alarm\ndata: {"id":"...","asset":"EL-01","severity":1,"event":"raise"}\n\n'
)


class EventStream(StreamingResponse):
    """A response of server-sent events, so named for OpenAPI."""

    media_type = "text/event-stream"


@router.get(
    "/stream",
    summary="Live readings and alarms",
    response_class=EventStream,
    responses={
        **refusals(404),
        200: {"description": "Events without end", "content": {"text/event-stream": {"example": _EXAMPLE}}},
    },
)
async def stream(
    deps: DepsOf,
    _: Reader,
    assets: Annotated[str, Query(max_length=4000, description="asset ids with commas between; all by default")] = "",
    kinds: Annotated[str, Query(max_length=100, description=f"any of {', '.join(KINDS)}; all by default")] = "",
    last_event_id: Annotated[
        str | None, Header(max_length=64, description="alarms after this one are sent first")
    ] = None,
) -> EventStream:
    """`readings` (what changed of one asset), `alarm` (one transition; it has an id), `gateway` (one spoke or is gone),
    `command` (one has come further).

    `stale` names the points of one asset that nobody speaks for any more, and those (`fresh`) that count again.

    After a pause send `Last-Event-ID`: missed alarms come first. When they can't be told, a `resync` event says: read
    the alarm list anew. A client that does not keep up gets `cut` with the reason `slow` and is closed.
    """
    chosen = frozenset(find_asset(deps, name.strip()).id for name in assets.split(",") if name.strip())
    wanted = frozenset(kind.strip() for kind in kinds.split(",") if kind.strip()) or frozenset(KINDS)
    if unknown := wanted - set(KINDS):
        known = ", ".join(KINDS)
        detail = Label(f"kinds 只能是 {known}", f"kinds knows {known}, not {', '.join(sorted(unknown))}")
        raise ApiError(422, detail)
    body = _events(deps, chosen, wanted, last_event_id)
    try:
        first = await anext(body)
    except TooManyClientsError as error:
        detail = Label("实时连接已满", "The stream has all the clients it can serve")
        raise ApiError(503, detail, headers={"retry-after": "30"}) from error
    return EventStream(_with(first, body), headers={"cache-control": "no-store", "x-accel-buffering": "no"})


async def _events(deps: Deps, assets: frozenset[str], kinds: frozenset[str], last: str | None) -> AsyncIterator[bytes]:
    with deps.live.fanout.subscribe(assets=assets, kinds=kinds) as subscriber:
        yield b"retry: 3000\n\n" + b"".join(item.wire for item in _missed(deps, subscriber, last))
        while True:
            taken = await _take(subscriber)
            if taken is None:
                yield b": still here\n\n"
                continue
            for start in range(0, len(taken), PIECE):
                yield b"".join(item.wire for item in taken[start : start + PIECE])
            if subscriber.cut:
                yield event("cut", {"reason": subscriber.cut}).wire
                return


def _missed(deps: Deps, subscriber: Subscriber, last: str | None) -> list[Event]:
    """The alarms a returning client has missed, or the word that they can't be told."""
    if last is None or "alarm" not in subscriber.kinds:
        return []
    missed = deps.live.alarms_after(last)
    if missed is None:
        return [event("resync", {"reason": "the alarms since that id are not known any more"})]
    return [item for item in missed if subscriber.wants(item)]


async def _take(subscriber: Subscriber) -> list[Event] | None:
    try:
        async with asyncio.timeout(HEARTBEAT_S):
            return await subscriber.take()
    except TimeoutError:
        return None


async def _with(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece
