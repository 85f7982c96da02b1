"""Tables of the API's lists: which members, under which headings."""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import panels, queries
from dashboards.panels import Json
from facility.points import Label
from facility.words import ALARM_STATES, TICKET_STATES

Column = tuple[str, Label, str]
"""Member (`{l}` stands for the language), heading, type."""

SEVERITY = Label("级别", "Severity")
ALARM_LIST: tuple[Column, ...] = (
    ("severity", SEVERITY, "number"),
    ("severity_{l}", Label("级别名称", "Severity name"), "string"),
    ("asset", Label("设备", "Asset"), "string"),
    ("asset_{l}", Label("设备名称", "Asset name"), "string"),
    ("{l}", Label("报警", "Alarm"), "string"),
    ("shown", Label("状态", "State"), "string"),
    ("since", Label("自", "Since"), "timestamp"),
    ("raise_count", Label("次数", "Times"), "number"),
    ("acknowledged_by", Label("确认人", "Acknowledged by"), "string"),
    ("ticket", Label("工单", "Ticket"), "string"),
    ("guidance_{l}", Label("处置", "Guidance"), "string"),
)
ALARMS_OF_ONE: tuple[Column, ...] = (ALARM_LIST[0], *ALARM_LIST[4:9])
ALARM_HISTORY: tuple[Column, ...] = (
    ("opened_at", Label("首次", "Opened"), "timestamp"),
    *ALARM_LIST[:7],
    ("cleared_at", Label("恢复", "Cleared"), "timestamp"),
    ("acknowledged_at", Label("确认", "Acknowledged"), "timestamp"),
    ("facts", Label("当时的值", "Values then"), "string"),
)
SHELVED: tuple[Column, ...] = (
    *ALARM_LIST[:6],
    ("shelved_until", Label("搁置至", "Shelved until"), "timestamp"),
)
TICKET_LIST: tuple[Column, ...] = (
    ("priority", SEVERITY, "number"),
    ("id", Label("工单", "Ticket"), "string"),
    ("asset", Label("设备", "Asset"), "string"),
    ("asset_{l}", Label("设备名称", "Asset name"), "string"),
    ("{l}", Label("内容", "What"), "string"),
    ("state", Label("状态", "State"), "string"),
    ("assignee", Label("处理人", "Assignee"), "string"),
    ("created_at", Label("创建", "Created"), "timestamp"),
    ("changed_at", Label("变更", "Changed"), "timestamp"),
)
ASSET_LIST: tuple[Column, ...] = (
    ("id", Label("编号", "Id"), "string"),
    ("{l}", Label("名称", "Name"), "string"),
    ("class_{l}", Label("类别", "Class"), "string"),
    ("location_{l}", Label("位置", "Location"), "string"),
    ("good", Label("正常", "Good"), "number"),
    ("stale", Label("过期", "Stale"), "number"),
    ("bad", Label("异常", "Bad"), "number"),
    ("alarms", Label("报警", "Alarms"), "number"),
    ("worst", SEVERITY, "number"),
)
GATEWAY_LIST: tuple[Column, ...] = (
    ("id", Label("网关", "Gateway"), "string"),
    ("online", Label("在线", "Online"), "boolean"),
    ("seen", Label("最近", "Seen"), "timestamp"),
    ("up", Label("正常设备", "Devices up"), "number"),
    ("failing", Label("异常设备", "Failing"), "number"),
    ("down", Label("离线设备", "Down"), "number"),
    ("spool_batches", Label("待确认批次", "Batches waiting"), "number"),
    ("shed", Label("丢弃读数", "Readings shed"), "number"),
)
LIVE_VALUES: tuple[Column, ...] = (
    ("{l}", Label("点位", "Point"), "string"),
    ("value", Label("值", "Value"), "string"),
    ("symbol", Label("单位", "Unit"), "string"),
    ("state_{l}", Label("状态", "State"), "string"),
    ("quality_{l}", Label("质量", "Quality"), "string"),
    ("at", Label("时间", "At"), "timestamp"),
)


def columns(wanted: Sequence[Column], language: str) -> list[tuple[str, str, str]]:
    """The columns in one language."""
    suffix = "zh" if language == "zh" else "en"
    return [(name.replace("{l}", suffix), label.to(language), kind) for name, label, kind in wanted]


def listing(title: Label, path: str, wanted: Sequence[Column], language: str, *, width: int = 24) -> Json:
    """A table of one list of the API, severities coloured."""
    panel = panels.table(title.to(language), [queries.api(path, columns(wanted, language))], width=width)
    words = {"shown": ALARM_STATES, "state": TICKET_STATES}
    for member, heading, _ in wanted:
        if member in words:
            told = {code: label.to(language) for code, label in words[member].items()}
            panels.worded(panel, heading.to(language), told)
    return panels.severities(panel, SEVERITY.to(language))


def counted(title: Label, path: str, language: str, *, colour: str) -> Json:
    """How many rows a list of the API has."""
    return panels.count(title.to(language), queries.api(path, [("id", "id", "string")]), colour=colour)


def alarms_of(language: str) -> Json:
    """The alarms of the chosen asset that are not over."""
    path = f"/api/v1/alarms?active=true&asset={queries.SELECTED}"
    return listing(Label("当前报警", "Alarms now"), path, ALARMS_OF_ONE, language, width=12)
