"""Route: stored samples as they are, for programs that read history while this process holds the store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from api.assets import find_asset
from api.deps import Deps, DepsOf, Reader
from api.problems import ApiError
from api.readings import time_range
from api.schemas import refusals
from facility.points import Label

router = APIRouter(tags=["readings"])

LONGEST_MS = 86_400_000
"""One question asks for a day at most, so that nobody keeps the store busy for long."""
PAGE = 500
"""Samples that are sent together."""
NDJSON = "application/x-ndjson"
_encoder = msgspec.json.Encoder()


@router.get(
    "/samples",
    summary="Stored samples, one a line",
    responses={**refusals(404), 200: {"content": {NDJSON: {"schema": {"type": "string"}}}}},
    response_class=StreamingResponse,
)
async def samples(
    deps: DepsOf,
    _: Reader,
    asset: Annotated[list[str] | None, Query(max_length=2000, description="only these")] = None,
    start: Annotated[str | None, Query(max_length=40, description="ISO 8601 with a time zone, or ms")] = None,
    end: Annotated[str | None, Query(max_length=40, description="the same; now by default")] = None,
) -> StreamingResponse:
    """Every sample of [start, end), a day at most, oldest first: `[asset, ms, {point: value}, {point: quality}]`.

    The last member names only the points that are not good. The last line is `"end"`: without it the answer is cut.
    """
    first, last = time_range(deps, start, end)
    if last - first > LONGEST_MS:
        text = Label("一次最多一天", "At most a day at once")
        raise ApiError(422, text, extra={"errors": [{"where": "query.start", "message": text.en}]})
    names = [find_asset(deps, name).id for name in asset or ()]
    return StreamingResponse(_lines(deps, first, last, names), media_type=NDJSON)


async def _lines(deps: Deps, first: int, last: int, names: list[str]) -> AsyncIterator[bytes]:
    waiting: list[bytes] = []
    async for sample in deps.store.samples(first, last, assets=names):
        waiting.append(_encoder.encode(sample))
        if len(waiting) == PAGE:
            yield b"\n".join(waiting) + b"\n"
            waiting.clear()
    yield b"\n".join([*waiting, b'"end"']) + b"\n"
