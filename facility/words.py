"""What people read for the codes of alarms, tickets and commands: the same words on screens, boards and in messages."""

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

ALARM_MARKS: Mapping[str, Label] = {
    "stale": Label("长期未恢复", "Stale"),
    "chattering": Label("频繁报警", "Chattering"),
}
"""What an alarm may be beside its states."""

COMMAND_STATES: Mapping[str, Label] = {
    "awaiting_second": Label("待他人批准", "Waits for a second person"),
    "sent": Label("已下发", "Sent"),
    "ended": Label("已结束", "Ended"),
    "cancelled": Label("已取消", "Cancelled"),
    "expired": Label("超时未批准", "Nobody approved in time"),
    "failed": Label("失败", "Failed"),
    "no_answer": Label("网关未答复", "No answer"),
}

COMMAND_STEPS: Mapping[str, Label] = {
    "received": Label("网关已收到", "Received"),
    "refused": Label("网关拒绝", "Refused"),
    "checking": Label("正在核对前提", "Checking conditions"),
    "writing": Label("正在写入", "Writing"),
    "reading_back": Label("正在回读", "Reading back"),
    "watching": Label("正在等待反馈", "Watching for the feedback"),
    "undoing": Label("正在撤回", "Taking back"),
    "done": Label("已完成", "Done"),
    "held": Label("已生效，到时恢复", "In force until it reverts"),
    "failed": Label("失败", "Failed"),
    "reverting": Label("正在恢复", "Reverting"),
    "reverted": Label("已恢复原值", "Reverted"),
    "replaced": Label("已被新命令接替", "Replaced by a newer command"),
    "revert_failed": Label("恢复失败", "Could not be reverted"),
}

COMMAND_WORDS: Mapping[str, Label] = {**COMMAND_STATES, **COMMAND_STEPS}
"""States of the desk and steps of the gateway together: one of either is what a person sees of a command."""

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

DRILL_STATES: Mapping[str, Label] = {
    "planned": Label("计划中", "Planned"),
    "running": Label("进行中", "Running"),
    "ended": Label("已结束", "Ended"),
    "cancelled": Label("已取消", "Cancelled"),
}

IMPAIRMENT_STATES: Mapping[str, Label] = {
    "open": Label("停用中", "Out of action"),
    "overdue": Label("已超期", "OVERDUE"),
    "restored": Label("已恢复，待签认", "Restored, to be signed off"),
    "closed": Label("已关闭", "Closed"),
}
