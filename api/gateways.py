"""Routes: gateways, their devices, and the batches that are missing; dead letters for the admin."""

from __future__ import annotations

import asyncio
import base64
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query

from api.auth import Action
from api.deps import Deps, DepsOf, Reader, may
from api.live import Gateway
from api.schemas import DeviceRow, GatewayRow, Rows, Shape, refusals
from facility.clock import from_ms

router = APIRouter(tags=["gateways"])


class GapRow(Shape):
    """Batches of a gateway that were never seen though later ones were. They close when history follows."""

    gateway: str
    boot: str
    first: int
    last: int
    batches: int


class LetterRow(Shape):
    """Something that could not be stored. `payload` is text where it is text, else base64, as `encoding` says."""

    id: int
    kind: str
    at: datetime
    topic: str
    reason: str
    size: int
    seen: int
    encoding: str
    payload: str


@router.get("/gateways", summary="The gateways and how they are", responses=refusals())
async def gateways(deps: DepsOf, _: Reader) -> Rows[GatewayRow]:
    """Every configured gateway: online or not, its devices, its spool."""
    now = deps.clock.ms()
    return Rows(items=[_row(gateway, now) for gateway in deps.live.gateways()])


@router.get("/gateways/devices", summary="Every device as its gateway sees it", responses=refusals())
async def devices(deps: DepsOf, _: Reader) -> Rows[DeviceRow]:
    """Up, failing, down, or unknown while its gateway has not spoken."""
    return Rows(items=device_rows(deps))


@router.get("/gateways/gaps", summary="Batches that are missing", responses=refusals())
async def gaps(
    deps: DepsOf, _: Reader, gateway: Annotated[str, Query(max_length=64, description="only this one")] = ""
) -> Rows[GapRow]:
    """Loss accounting from the batch numbers; empty when nothing is missing. Told by the process that runs ingest."""
    rows = [
        GapRow(gateway=gap.gateway, boot=gap.boot, first=gap.first, last=gap.last, batches=gap.count)
        for gap in deps.gaps()
        if gateway in ("", gap.gateway)
    ]
    return Rows(items=rows)


@router.get(
    "/dead-letters",
    summary="What could not be stored",
    responses=refusals(),
    dependencies=[Depends(may(Action.DEAD_LETTERS))],
)
async def dead_letters(
    deps: DepsOf,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    cursor: Annotated[int, Query(ge=0, le=2**53, description="`next` of the page before")] = 0,
) -> Rows[LetterRow]:
    """Undecodable payloads and refused readings, newest first. For admins: payloads may hold what few should see."""
    letters = await asyncio.to_thread(deps.dead_letters.list, limit=limit, after=cursor)
    items = []
    for letter in letters:
        encoding, payload = _text(letter.payload)
        items.append(
            LetterRow(
                id=letter.id,
                kind=letter.kind,
                at=from_ms(letter.at),
                topic=letter.topic,
                reason=letter.reason,
                size=letter.size,
                seen=letter.seen,
                encoding=encoding,
                payload=payload,
            )
        )
    return Rows(items=items, next=str(letters[-1].id) if len(letters) == limit else None)


def device_rows(deps: Deps) -> list[DeviceRow]:
    """Every device with its gateway's word about it."""
    states = {gateway.id: gateway for gateway in deps.live.gateways()}
    rows = []
    for device in deps.site.devices:
        gateway = states[device.gateway]
        told = gateway.status.devices.get(device.id) if gateway.status and gateway.online else None
        rows.append(
            DeviceRow(
                gateway=device.gateway,
                device=device.id,
                asset=device.asset,
                profile=device.profile,
                state=told.state if told else "unknown",
                error=told.error if told else "",
            )
        )
    return rows


def _row(gateway: Gateway, now: int) -> GatewayRow:
    status = gateway.status
    states = [device.state for device in status.devices.values()] if status else []
    return GatewayRow(
        id=gateway.id,
        online=gateway.online,
        seen=from_ms(gateway.seen) if gateway.seen else None,
        age=max(0, now - gateway.seen) / 1000 if gateway.seen else None,
        boot=status.boot if status else "",
        version=status.version if status else "",
        devices=len(states),
        up=states.count("up"),
        failing=states.count("failing"),
        down=states.count("down"),
        sent=status.sent if status else 0,
        last_seq=status.last_seq if status else 0,
        spool_batches=status.spool_batches if status else 0,
        spool_bytes=status.spool_bytes if status else 0,
        spool_limit=status.spool_limit if status else 0,
        shed=status.shed if status else 0,
        clock_offset_ms=status.clock_offset_ms if status else None,
    )


def _text(payload: bytes) -> tuple[str, str]:
    try:
        return "text", payload.decode()
    except UnicodeDecodeError:
        return "base64", base64.b64encode(payload).decode()
