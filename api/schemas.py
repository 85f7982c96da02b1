"""The shapes on the HTTP wire. Rows are flat, so that a table tool needs no transformation."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from api.auth import MAX_PASSWORD

T = TypeVar("T")
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="an id of the site folder")]


class Shape(BaseModel):
    """Base of every shape: unknown members of a request are refused."""

    model_config = ConfigDict(extra="forbid")


class Rows(Shape, Generic[T]):
    """A list of flat rows. `next` is the cursor of the next page; null on the last one."""

    items: list[T]
    next: str | None = None


class Problem(Shape):
    """RFC 9457. `type` is `urn:caretaker:problem:<code>`; other members may stand beside these."""

    model_config = ConfigDict(
        extra="allow",
        json_schema_extra={
            "example": {
                "type": "urn:caretaker:problem:not-found",
                "title": "Not found",
                "status": 404,
                "detail": "There is no asset 'EL-99'",
                "instance": "/api/v1/assets/EL-99",
            }
        },
    )
    type: str
    title: str
    status: int
    detail: str
    instance: str


class SiteRow(Shape):
    """The site that this installation watches over."""

    id: str = Field(examples=["tower"])
    zh: str
    en: str
    time_zone: str = Field(examples=["Asia/Shanghai"])
    languages: list[str]
    assets: int
    devices: int
    gateways: int


class AssetRow(Shape):
    """One installed thing. `worst` is the highest severity (1 is worst) of its active alarms, null without any."""

    id: str = Field(examples=["EL-01"])
    asset_class: str = Field(examples=["elevator"])
    class_zh: str
    class_en: str
    zh: str
    en: str
    location: str
    location_zh: str
    location_en: str
    points: int
    good: int
    stale: int
    bad: int
    alarms: int
    worst: int | None


class AssetDetail(AssetRow):
    """An asset with its rated values, ledger and the assets that feed or contain it."""

    rated: dict[str, float]
    ledger: dict[str, str]
    parents: list[str]
    devices: list[str]


class LatestRow(Shape):
    """The newest reading of one point. `value` is null unless the quality is good or stale.

    A stale value is the last one known, never a live one. `state_*` say what an enum or discrete value means.
    """

    asset: str
    point: str
    asset_class: str
    asset_zh: str
    asset_en: str
    zh: str
    en: str
    at: datetime
    ms: int
    age: float = Field(description="seconds")
    value: float | int | bool | str | None
    quality: str = Field(examples=["good"])
    quality_zh: str
    quality_en: str
    symbol: str
    state: str
    state_zh: str
    state_en: str


class HistoryRow(Shape):
    """One step of a down-sampled history, or one raw reading (then mean, low and high are its value)."""

    at: datetime
    ms: int
    count: int
    mean: float | None
    low: float | None
    high: float | None
    value: float | int | bool | str | None = None
    quality: str = "good"


class History(Rows[HistoryRow]):
    """The history of one point."""

    asset: str
    point: str
    symbol: str
    zh: str
    en: str


class AlarmRowOut(Shape):
    """One alarm. `shown` is the one name a person sees: the suppression if there is one, else the state.

    `active`: the condition is abnormal now; `owed`: somebody has to acknowledge; `live`: not over yet.
    `facts` is what the rule saw, as one line. `inhibited`: the plant's own logic wants it quiet; `guarded`: life
    safety, or what its rule guards. `stale_at` and `chattering_since` are marks, `removal` is what took it out of
    service. `cause_id`: the alarm that it is a consequence of; `folded`: how many are consequences of this one.
    `quiet`: why people were not told of it on its own, a code.
    `/rules/{rule}/versions/{rule_version}` has the text of the rule.
    """

    id: str
    rule: str
    rule_version: str = Field(examples=["3f0a9c71b2de"])
    asset: str
    asset_class: str
    asset_zh: str
    asset_en: str
    severity: int = Field(examples=[1])
    severity_zh: str
    severity_en: str
    raises: str = Field(examples=["emergency"])
    state: str = Field(examples=["unacknowledged"])
    suppression: str = Field(examples=["none"])
    shown: str
    live: bool
    active: bool
    owed: bool
    zh: str
    en: str
    guidance_zh: str
    guidance_en: str
    raise_count: int
    opened_at: datetime
    since: datetime
    raised_at: datetime | None
    cleared_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str
    shelved_until: datetime | None
    changed_at: datetime
    version: int
    ticket: str | None
    facts: str
    cause_id: str | None
    folded: int
    quiet: str = Field(examples=["folded"])
    quiet_zh: str
    quiet_en: str
    inhibited: bool
    guarded: bool
    stale_at: datetime | None
    chattering_since: datetime | None
    removal: str | None


class RemovalOut(Shape):
    """Something out of service for a ticket: one alarm, or (`alarm` null) all of an asset. `ended_at` null: it is."""

    id: str
    asset: str
    alarm: str | None
    ticket: str
    life_safety: bool
    reason: str
    begun_at: datetime
    begun_by: str
    ended_at: datetime | None
    ended_by: str


class HabitOut(Shape):
    """How a rule behaves at an asset: cycles of raise and clear in all, fleeting ones, episodes of chattering."""

    rule: str
    rule_index: int
    asset: str
    cycles: int
    fleeting: int
    episodes: int
    since: datetime | None
    last_at: datetime


class JournalOut(Shape):
    """One transition of an alarm. `reason` is the code of why people were told or not.

    `values` are the readings of the rule at that instant, as one line; a quality that is not good stands behind.
    """

    at: datetime
    recorded_at: datetime
    actor: str
    event: str
    state: str
    suppression: str
    version: int
    reason: str
    reason_zh: str
    reason_en: str
    note: str
    rule_version: str
    values: str


class TicketOut(Shape):
    """One ticket. `moves` are the events that the caller may send now."""

    id: str
    alarm: str | None
    asset: str
    asset_class: str
    asset_zh: str
    asset_en: str
    priority: int
    state: str = Field(examples=["open"])
    assignee: str
    zh: str
    en: str
    guidance_zh: str
    guidance_en: str
    created_at: datetime
    changed_at: datetime
    assigned_at: datetime | None
    accepted_at: datetime | None
    arrived_at: datetime | None
    finished_at: datetime | None
    verified_at: datetime | None
    closed_at: datetime | None
    version: int
    moves: list[str]


class MoveOut(Shape):
    """One move of a ticket."""

    at: datetime
    actor: str
    event: str
    state: str
    version: int
    note: str


class PersonRow(Shape):
    """A user as others see it."""

    name: str
    role: str


class GatewayRow(Shape):
    """A gateway about itself."""

    id: str
    online: bool
    seen: datetime | None
    age: float | None = Field(description="seconds since it last spoke")
    boot: str
    version: str
    devices: int
    up: int
    failing: int
    down: int
    sent: int
    last_seq: int
    spool_batches: int
    spool_bytes: int
    spool_limit: int
    shed: int
    clock_offset_ms: float | None


class DeviceRow(Shape):
    """One device as its gateway sees it."""

    gateway: str
    device: str
    asset: str
    profile: str
    state: str
    error: str


class Login(Shape):
    """A name and a password."""

    name: str = Field(min_length=1, max_length=64, examples=["admin"])
    password: str = Field(min_length=1, max_length=MAX_PASSWORD)


class Token(Shape):
    """A token, shown this once. Send it as `Authorization: Bearer ...`."""

    token: str = Field(examples=["ck_..."])
    expires_at: datetime
    user: str
    role: str
    language: str


class WhoAmI(Shape):
    """The caller, and what it may do."""

    name: str
    role: str
    language: str
    actions: list[str]


class Readiness(Shape):
    """Each thing the API leans on: `ok`, or what is wrong."""

    ready: bool
    broker: str
    readings: str
    records: str
    live: str


class Alive(Shape):
    """The process answers."""

    status: str = "ok"
    version: str


def refusals(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The error responses of a route, for OpenAPI: the given ones and those that every route has."""
    return {
        status: {"description": _WHY[status], "model": Problem, "content": {"application/problem+json": {}}}
        for status in sorted({401, 403, 422, 503, *statuses})
    }


_WHY = {
    401: "No token, or one that is unknown, expired or revoked",
    403: "The caller's role may not do this",
    404: "There is no such thing",
    409: "Not possible in the state it is in, or somebody was quicker",
    413: "The body is too large",
    422: "A parameter is wrong",
    429: "Too many tries; Retry-After says when",
    503: "A store or the broker does not answer; Retry-After says when",
}
