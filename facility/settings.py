"""The settings in `site.yaml`: where broker, stores, API and channels are. Secrets only by `${ENV}`."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from facility.yamlfile import Strict

WEAK = frozenset({"", "password", "changeme", "change-me", "secret", "admin", "root", "test", "123456", "default"})
"""Secrets that the program refuses to start with."""


class BrokerSettings(Strict):
    """`embedded` starts a broker of our own on loopback; otherwise host and port of one that runs."""

    embedded: bool = False
    host: str = "127.0.0.1"
    port: int = Field(default=1883, ge=0, le=65_535)
    username: str | None = None
    password: str | None = None
    tls: bool = False


class ReadingsSettings(Strict):
    """Where readings are stored. `duckdb` needs `path`; `influxdb` needs `url`, `bucket`, `token` (v3 ignores org)."""

    kind: Literal["duckdb", "influxdb"] = "duckdb"
    path: str = "data/readings.duckdb"
    url: str = ""
    bucket: str = "caretaker"
    org: str = "caretaker"
    token: str = ""
    retention_days: int = Field(default=400, ge=1)

    @model_validator(mode="after")
    def _complete(self) -> ReadingsSettings:
        if self.kind == "influxdb" and not (self.url.startswith(("http://", "https://")) and self.token):
            raise ValueError("influxdb needs url (http:// or https://) and token")
        return self


class RecordsSettings(Strict):
    """Where alarms and tickets are kept: `sqlite` needs `path`; `postgresql` needs `url` (postgresql://user:pass@host/db)."""

    kind: Literal["sqlite", "postgresql"] = "sqlite"
    path: str = "data/records.sqlite"
    url: str = ""

    @model_validator(mode="after")
    def _complete(self) -> RecordsSettings:
        if self.kind == "postgresql" and not self.url.startswith("postgresql"):
            raise ValueError("postgresql needs url, such as postgresql://user:${DB_PASSWORD}@host/caretaker")
        return self


class ApiSettings(Strict):
    """Where the API and the console listen. Anything but loopback needs TLS files, or `insecure: true` said aloud."""

    host: str = "127.0.0.1"
    port: int = Field(default=8000, ge=0, le=65_535)
    insecure: bool = False
    tls_certificate: str = ""
    tls_key: str = ""

    @model_validator(mode="after")
    def _safe(self) -> ApiSettings:
        public = self.host not in ("127.0.0.1", "::1", "localhost")
        if public and not (self.insecure or (self.tls_certificate and self.tls_key)):
            raise ValueError(
                f"{self.host} can be reached from outside: give tls_certificate and tls_key, or say insecure: true"
            )
        return self


class SpoolSettings(Strict):
    """The gateway's durable queue: `directory` holds one SQLite file per gateway; `megabytes` and `days` bound each.

    `days` that the gateway has run count, not those of the calendar (gateway/spool.py says why).
    """

    directory: str = "data/spool"
    megabytes: int = Field(default=256, ge=1)
    days: int = Field(default=30, ge=1)
    synchronous: Literal["normal", "full"] = "normal"


class LearningSettings(Strict):
    """What gateways remember of what their devices refuse: one JSON file per gateway in `directory`.

    A refused register is asked for again after 1 minute, 2, 4, ... up to `retry_minutes`; how registers may be read
    together is found out anew after `hours`.
    """

    directory: str = "data/learnt"
    retry_minutes: float = Field(default=10.0, ge=1, le=525_600)
    hours: float = Field(default=24.0, gt=0, le=8760)


class ChannelSettings(Strict):
    """One way out of the house. `webhook` posts JSON to `url`; `log` writes a line."""

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")
    kind: Literal["log", "webhook"]
    url: str = ""
    language: Literal["zh", "en"] = "zh"
    token: str | None = None

    @model_validator(mode="after")
    def _complete(self) -> ChannelSettings:
        if self.kind == "webhook" and not self.url.startswith(("http://", "https://")):
            raise ValueError("a webhook needs its url (http:// or https://)")
        return self


class RouteSettings(Strict):
    """Which alarms go to which channels: severities (1 emergency .. 4 advisory), classes (all if empty), events."""

    to: list[str] = Field(min_length=1)
    severities: list[int] = [1, 2]
    classes: list[str] = []
    events: list[Literal["raise", "clear", "acknowledge", "ticket"]] = ["raise"]


class FoldingSettings(Strict):
    """How consequences are told together with their cause (rules/notification/folding.py).

    A possible consequence is held for `settle` seconds, in case its cause follows; a cause explains what is raised
    within `window` seconds after it (and up to `settle` before it); when it is over, what still stands `release`
    seconds later is told on its own.
    """

    settle: float = Field(default=3.0, ge=0, le=60)
    window: float = Field(default=600.0, gt=0, le=86_400)
    release: float = Field(default=120.0, ge=0, le=86_400)


class FloodSettings(Strict):
    """When so many alarms come that telling each helps nobody (rules/notification/flood.py).

    More than `start` alarms within `window` seconds begin a flood, fewer than `end` within as long end it. Meanwhile
    severities 3 and 4 are only told in a summary, one every `summary` seconds, and of severity 2 no more than
    `urgent_per_minute` one by one.
    """

    start: int = Field(default=10, ge=1, le=10_000)
    end: int = Field(default=5, ge=1, le=10_000)
    window: float = Field(default=600.0, gt=0, le=86_400)
    summary: float = Field(default=600.0, ge=10, le=86_400)
    urgent_per_minute: int = Field(default=10, ge=0, le=10_000)

    @model_validator(mode="after")
    def _ends_below(self) -> FloodSettings:
        if self.end > self.start:
            raise ValueError("a flood can't end above where it starts: end <= start")
        return self


class RepeatSettings(Strict):
    """How often an alarm that comes back is told: `times` more an hour, where it is back within `within` seconds."""

    times: int = Field(default=3, ge=0, le=1000)
    within: float = Field(default=900.0, ge=0, le=3600)


class AlarmSettings(Strict):
    """How alarms live and are told. Nothing here touches judging, recording or showing, and severity 1 is always told.

    The longest shelving, and after how many hours an alarm that stands is stale; the longest drill and impairment; how
    consequences, floods and alarms that come back are told.
    """

    shelve_hours: float = Field(default=8.0, gt=0, le=72)
    stale_hours: float = Field(default=24.0, gt=0, le=8760)
    drill_hours: float = Field(default=12.0, gt=0, le=24)
    impairment_days: float = Field(default=30.0, gt=0, le=90)
    folding: FoldingSettings = FoldingSettings()
    flood: FloodSettings = FloodSettings()
    repeat: RepeatSettings = RepeatSettings()


class Settings(Strict):
    """Everything in site.yaml that says where and how, not what. Relative paths start at the site folder."""

    broker: BrokerSettings = BrokerSettings()
    readings: ReadingsSettings = ReadingsSettings()
    records: RecordsSettings = RecordsSettings()
    spool: SpoolSettings = SpoolSettings()
    learning: LearningSettings = LearningSettings()
    api: ApiSettings = ApiSettings()
    alarms: AlarmSettings = AlarmSettings()
    future_limit: float = Field(default=60.0, gt=0, description="seconds a reading may lie ahead of the clock")


def weak_secrets(settings: Settings) -> list[tuple[str, str]]:
    """(place, why) of each secret that must not be used as it is."""
    found: list[tuple[str, str]] = []
    if settings.broker.password is not None and settings.broker.password.lower() in WEAK:
        found.append(("broker.password", "is empty or a default; set a real one"))
    token = settings.readings.token.rpartition(":")[2]
    if settings.readings.kind == "influxdb" and token.lower() in WEAK:
        found.append(("readings.token", "is empty or a default; set a real one"))
    return found
