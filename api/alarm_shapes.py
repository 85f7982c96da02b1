"""The shapes of alarms put together: groups and floods."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from api.schemas import Shape


class AlarmGroupOut(Shape):
    """Live alarms that belong together: `alarms` how many, `owed` not acknowledged, `worst` severity (1 is worst)."""

    group: str = Field(examples=["location"])
    key: str = Field(description="a place, an asset, or the alarm that is the cause")
    zh: str
    en: str
    alarms: int
    owed: int
    worst: int
    worst_zh: str
    worst_en: str
    newest: datetime


class FloodOut(Shape):
    """So many alarms at once that most were told in summaries only. `on`: it lasts; `untold`: how many of `alarms`."""

    id: str
    on: bool
    began_at: datetime
    told_at: datetime | None
    ended_at: datetime | None
    alarms: int
    untold: int
    worst: int
    worst_zh: str
    worst_en: str
