"""What people read for the codes of alarms and tickets: the same words on screens, boards and in messages."""

from __future__ import annotations

from collections.abc import Mapping

from facility.points import Label

SEVERITIES: Mapping[int, Label] = {
    1: Label("紧急", "Emergency"),
    2: Label("重要", "Urgent"),
    3: Label("维护", "Maintenance"),
    4: Label("提示", "Advisory"),
}

ALARM_STATES: Mapping[str, Label] = {
    "normal": Label("正常", "Normal"),
    "unacknowledged": Label("未确认", "Unacknowledged"),
    "acknowledged": Label("已确认", "Acknowledged"),
    "returned": Label("已恢复，未确认", "Returned, unacknowledged"),
    "latched_unacknowledged": Label("已锁定，未确认", "Latched, unacknowledged"),
    "latched_acknowledged": Label("已锁定，待复位", "Latched, to be reset"),
    "shelved": Label("已搁置", "Shelved"),
    "by_design": Label("按设计抑制", "Suppressed by design"),
    "out_of_service": Label("停用", "Out of service"),
}

TICKET_STATES: Mapping[str, Label] = {
    "open": Label("待处理", "Open"),
    "assigned": Label("已指派", "Assigned"),
    "accepted": Label("已接单", "Accepted"),
    "on_site": Label("已到场", "On site"),
    "done": Label("已完成", "Done"),
    "verified": Label("已验收", "Verified"),
    "closed": Label("已关闭", "Closed"),
    "cancelled": Label("已取消", "Cancelled"),
}
