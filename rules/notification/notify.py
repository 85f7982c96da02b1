"""Who is told of a transition, and in which words: small pure stages from an alarm to messages.

due? muted? already told? routed where? Each stage gives a reason (a code of REASONS), which the journal keeps, so that
every alarm can explain why people were told of it or not. Silence is worse than a duplicate: an emergency goes to every
channel, whatever the routes say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from facility.config import Site
from facility.points import Label
from facility.readings import Value
from facility.settings import RouteSettings
from facility.wire import AlarmNotice
from facility.words import SEVERITIES
from rules.drills.drills import Drill
from rules.drills.impairments import Impairment
from rules.drills.scope import Ground
from rules.life.alarm import Suppression
from rules.life.chatter import RETELL_MS
from rules.life.rows import AlarmRow

ROUTED = "routed"
REASONS: Mapping[str, Label] = {
    ROUTED: Label("已通知", "people were told"),
    "quiet_event": Label("此类变化不通知", "nobody is told of this kind of change"),
    "shelved": Label("未通知：报警已搁置", "not told: the alarm is shelved"),
    "by_design": Label("未通知：按设计抑制", "not told: suppressed by design"),
    "out_of_service": Label("未通知：设备已停用", "not told: out of service"),
    "historical": Label("未通知：补传的历史数据", "not told: the readings were replayed and are too old"),
    "told": Label("未通知：此前已通知", "not told again: people know already"),
    "untold": Label("未通知：此前未通知其发生", "not told: nobody was told that it began"),
    "settling": Label("暂缓通知：等待片刻，看是否有上级原因", "held for a moment: its cause may follow"),
    "folded": Label("未单独通知：是另一报警的后果", "not told on its own: a consequence of another alarm"),
    "repeat": Label("未通知：反复报警，已达通知次数上限", "not told again: it keeps coming back"),
    "flood": Label("未单独通知：报警洪峰，已汇总通知", "not told on its own: an alarm flood, told in a summary"),
    "escalated": Label("持续未消除，已升级", "it has stood for long and is more severe now"),
    "no_route": Label("未通知：没有匹配的通知路线", "not told: no route matches"),
    "no_channel": Label("未通知：没有配置通知渠道", "not told: the site has no channel"),
    "chattering": Label(
        "频繁报警：15分钟内反复动作，限制重复通知", "chattering: it comes and goes, so people are not told each time"
    ),
    "stale": Label("长时间未恢复", "it has stood for too long"),
    "steady": Label("不再频繁报警", "it no longer chatters"),
    "drill": Label("演习：已按演习通知", "a drill: told as such"),
    "drill_nobody": Label("演习：没有匹配的通知路线", "a drill: no route matches"),
    "drill_over": Label(
        "演习已结束或超出演习范围，按真实报警处理", "no drill any more, or outside its scope: it is real"
    ),
    "orphaned": Label(
        "规则或设备已从配置中删除，报警保留可见", "its rule or asset is no longer configured; it stays visible"
    ),
}
"""Why people were told or not, by code, in both languages."""

EVENTS = frozenset({"raise", "clear", "acknowledge", "ticket"})
"""The events that a route may name."""

_EVENT = {
    "raise": Label("报警", "alarm"),
    "clear": Label("恢复", "returned to normal"),
    "acknowledge": Label("已确认", "acknowledged"),
    "ticket": Label("新工单", "new ticket"),
    "escalate": Label("持续未消除，已升级", "stands for long, now more severe"),
}

DRILL = Label("【演习】", "[DRILL] ")
"""What every message of a drill begins with."""


class Words(msgspec.Struct, frozen=True):
    """The texts of a message in one language."""

    title: str
    text: str
    guidance: str


class Message(msgspec.Struct, frozen=True):
    """What a channel sends: the texts in the channel's language, and both languages beside them.

    `key` is the idempotency key: a receiver that has seen it has seen this message. `at` is the instant of the
    transition, `since` the reading that made the condition turn, `facts` what the rule saw; instants are ms UTC.
    `drill`: it is no real alarm but belongs to this drill.
    """

    key: str
    site: str
    event: str
    alarm: str
    ticket: str | None
    rule: str
    asset: str
    asset_class: str
    severity: int
    raises: str
    state: str
    at: int
    since: int
    facts: dict[str, Value]
    title: str
    text: str
    guidance: str
    zh: Words
    en: Words
    url: str
    drill: str | None = None


@dataclass(frozen=True, slots=True)
class Routing:
    """What the life of alarms needs of a site: channel id -> language, routes, asset labels, the console's address.

    `shelve_ms` is the longest shelving; an alarm that stands for `stale_ms` is stale; `drill_ms` and `impaired_ms` are
    the longest drill and impairment. `ground` knows what is where; `drills` and `impairments` are those of the present
    transaction.
    """

    site: str
    channels: Mapping[str, str] = field(default_factory=dict)
    routes: Sequence[RouteSettings] = ()
    assets: Mapping[str, Label] = field(default_factory=dict)
    url: str = ""
    shelve_ms: int = 8 * 3_600_000
    stale_ms: int = 24 * 3_600_000
    drill_ms: int = 12 * 3_600_000
    impaired_ms: int = 30 * 86_400_000
    ground: Ground = field(default_factory=Ground)
    time_zone: str = "UTC"
    drills: Mapping[str, Drill] = field(default_factory=dict)
    impairments: Sequence[Impairment] = ()

    @classmethod
    def of(cls, site: Site, *, url: str = "") -> Routing:
        """The routing of a site; `url` is where people reach its console, by default the address it listens on."""
        api = site.settings.api
        if not url and api.port:
            url = f"{'https' if api.tls_certificate else 'http'}://{api.host}:{api.port}"
        return cls(
            site.id,
            {channel.id: channel.language for channel in site.channels},
            site.routes,
            {asset.id: asset.label for asset in site.assets.values()},
            url.rstrip("/"),
            round(site.settings.alarms.shelve_hours * 3_600_000),
            round(site.settings.alarms.stale_hours * 3_600_000),
            round(site.settings.alarms.drill_hours * 3_600_000),
            round(site.settings.alarms.impairment_days * 86_400_000),
            Ground(site.assets, site.locations),
            site.time_zone,
        )


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a message goes (no channel: nowhere), and why."""

    channels: tuple[str, ...]
    reason: str

    @property
    def is_told(self) -> bool:
        """Whether people are told."""
        return bool(self.channels)


def decide(row: AlarmRow, event: str, routing: Routing, *, at: int, historical: bool = False) -> Decision:
    """All stages in their order, at an instant (ms); the first that says no gives the reason."""
    reason = due(event) or muted(row) or ("historical" if historical else "") or already_told(row, event)
    reason = reason or restrained(row, event, at)
    if reason:
        return Decision((), reason)
    return drilled(row, event, routing) if row.drill else targets(row, event, routing)


def due(event: str) -> str:
    """Empty when the event is one that people can be told of."""
    return "" if event in EVENTS else "quiet_event"


def muted(row: AlarmRow) -> str:
    """Empty, or the suppression that keeps the alarm quiet."""
    return "" if row.suppression is Suppression.NONE else row.suppression.value


def already_told(row: AlarmRow, event: str) -> str:
    """`told` when this raise was told before; `untold` when its end has nobody who knows of the beginning."""
    if event == "raise":
        return "told" if row.told else ""
    if event == "ticket" and row.quiet:
        return row.quiet
    return "" if row.told or event == "ticket" else "untold"


def restrained(row: AlarmRow, event: str, at: int) -> str:
    """Empty, or `chattering` for a raise of an alarm that comes and goes and was told a few minutes ago."""
    chatters = row.chattering_since is not None and row.told_at is not None
    return "chattering" if event == "raise" and chatters and at - (row.told_at or 0) < RETELL_MS else ""


def is_emergency(row: AlarmRow) -> bool:
    """Life safety or fast loss: told to every channel."""
    return row.severity == 1 or row.raises == "emergency"


def is_guarded(row: AlarmRow) -> bool:
    """Life safety, and what its rule guards: never shelved, out of service only with a right of its own."""
    return is_emergency(row) or not row.shelvable


def targets(row: AlarmRow, event: str, routing: Routing) -> Decision:
    """The channels of every route that matches, each once; all channels for the raise of an emergency."""
    if not routing.channels:
        return Decision((), "no_channel")
    if event == "raise" and is_emergency(row):
        return Decision(tuple(routing.channels), ROUTED)
    chosen = channels_for(routing, row.severity, row.asset_class, event)
    return Decision(chosen, ROUTED if chosen else "no_route")


def drilled(row: AlarmRow, event: str, routing: Routing) -> Decision:
    """The channels named for its drill, else those of the ordinary routes; never everybody for an emergency."""
    drill = routing.drills.get(row.drill or "")
    named = drill.channels if drill else ()
    if named and event not in ("raise", "clear"):
        return Decision((), "quiet_event")
    chosen = tuple(name for name in named if name in routing.channels)
    chosen = chosen or channels_for(routing, row.severity, row.asset_class, event)
    return Decision(chosen, "drill" if chosen else "drill_nobody")


def channels_for(routing: Routing, severity: int, asset_class: str, event: str = "raise") -> tuple[str, ...]:
    """The channels of every route that such an alarm goes along, each once."""
    wanted = [
        name
        for route in routing.routes
        if event in route.events
        and severity in route.severities
        and (not route.classes or asset_class in route.classes)
        for name in route.to
    ]
    return tuple(dict.fromkeys(name for name in wanted if name in routing.channels))


def key(row: AlarmRow, event: str, channel: str) -> str:
    """The idempotency key: one message per alarm, raise, event (and severity, as it escalates) and channel."""
    event = f"{event}{row.severity}" if event == "escalate" else event
    return f"{row.id}:{event}:{row.raise_count}:{channel}"


@dataclass(frozen=True, slots=True)
class Moment:
    """When something happened (`at`), the reading that made it happen (`since`), and what the rule saw."""

    at: int
    since: int
    facts: Mapping[str, Value] = field(default_factory=dict)


def message(row: AlarmRow, event: str, channel: str, routing: Routing, moment: Moment) -> Message:
    """The message for one channel."""
    asset = routing.assets.get(row.asset, Label("", ""))
    zh, en = _words(row, event, asset, "zh"), _words(row, event, asset, "en")
    words = zh if routing.channels.get(channel, "zh") == "zh" else en
    return Message(
        key=key(row, event, channel),
        site=row.site,
        event=event,
        alarm=row.id,
        ticket=row.ticket_id,
        rule=row.rule,
        asset=row.asset,
        asset_class=row.asset_class,
        severity=row.severity,
        raises=row.raises,
        state=row.state.value,
        at=moment.at,
        since=moment.since,
        facts=dict(moment.facts),
        title=words.title,
        text=words.text,
        guidance=words.guidance,
        zh=zh,
        en=en,
        url=f"{routing.url}/alarms/{row.id}" if routing.url else "",
        drill=row.drill,
    )


def _words(row: AlarmRow, event: str, asset: Label, language: str) -> Words:
    severity = SEVERITIES[row.severity].to(language).upper()
    name = " ".join(part for part in (row.asset, asset.to(language)) if part)
    title = row.title.to(language)
    if language == "zh":
        text = f"【{severity}】{name}：{title}（{_EVENT[event].zh}）"
    else:
        text = f"[{severity}] {name}: {title} ({_EVENT[event].en})"
    if row.drill:
        mark = DRILL.to(language)
        title, text = mark + title, mark + text
    return Words(title, text, row.guidance.to(language))


def notice(row: AlarmRow, event: str, at: int) -> AlarmNotice:
    """The transition for the live stream and for outsiders."""
    return AlarmNotice(
        id=row.id,
        rule=row.rule,
        asset=row.asset,
        asset_class=row.asset_class,
        severity=row.severity,
        state=row.state.value,
        suppression=row.suppression.value,
        event=event,
        at=at,
        version=row.version,
        zh=row.title_zh,
        en=row.title_en,
        drill=row.drill or "",
    )


def ticket_priority(row: AlarmRow) -> int:
    """The priority of the ticket that the alarm opens: its severity."""
    return 1 if is_emergency(row) else row.severity


def wants_ticket(row: AlarmRow) -> bool:
    """Whether the alarm opens a ticket: an emergency too, since somebody has to repair what caused it."""
    return row.ticket_id is None and row.raises in ("ticket", "emergency")
