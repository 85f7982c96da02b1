"""The texts of an explanation on the console, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from facility.points import Label
from rules.explain.linkage import Came

WHY: Mapping[str, Label] = {
    "why": Label("为什么报警", "Why?"),
    "gathering": Label("正在查找原因…", "Finding out…"),
    "not_now": Label("暂时无法说明：数据库没有响应", "It can't be told now: the records don't answer"),
    "at_present": Label("现在", "Now"),
    "next": Label("接下来", "What happens next"),
    "tree_then": Label("触发时的条件（{at}）", "Its condition when it rang ({at})"),
    "tree_now": Label("现在的条件（{at}）", "Its condition now ({at})"),
    "messages": Label("通知了谁，为什么", "Who was told, and why"),
    "tries": Label("尝试 {n} 次", "tries: {n}"),
    "version": Label("规则 {id}，版本 {version}", "Rule {id}, version {version}"),
    "inputs": Label("输入", "Inputs"),
    "old": Label("{age}前", "{age} before"),
    "later": Label("其后收到", "came afterwards"),
    "linkage_cause": Label("起因：{cause}（T0 {t0}）", "It began because {cause} (T0 {t0})"),
    "linkage_limit": Label("时限：{span}，至 {at}（{basis}）", "It has {span}, until {at} ({basis})"),
    "linkage_always": Label("须全程保持（{basis}）", "It has to stand all the time ({basis})"),
    "linkage_command": Label("主机命令", "The panel's command"),
    "linkage_proof": Label("证据：{of} 项中至少 {n} 项 {part}", "Proof: at least {n} of {of} {part}"),
    "expression_when": Label("触发条件", "It rings when"),
    "expression_clear": Label("恢复条件", "It clears when"),
    "expression_enable": Label("适用条件", "It applies while"),
    "expression_hush": Label("抑制条件", "It is kept quiet while"),
    "form_all": Label("以下全部成立", "all of these"),
    "form_any": Label("以下任一成立", "any of these"),
    "form_not": Label("以下不成立", "not"),
    "on_delay": Label("报警延时 {t}", "on-delay {t}"),
    "off_delay": Label("恢复延时 {t}", "off-delay {t}"),
    "holds": Label("已持续 {t}", "holds for {t}"),
    "left": Label("还剩 {t}", "{t} left"),
    "rules": Label("规则", "Rules"),
    "rules_more_1": Label("另有 {n} 条规则", "{n} more rule"),
    "rules_more_n": Label("另有 {n} 条规则", "{n} more rules"),
    "rules_blind": Label("，其中 {n} 条无法判断", ", of which {n} can't tell"),
    "rules_none": Label("没有规则监视此设备", "No rule watches this asset"),
    "rules_broken": Label(
        "规则文件有错误，请运行 caretaker check", "The rule files have errors: run `caretaker check`"
    ),
    "less": Label("收起", "show less"),
}

TRUTHS: Mapping[bool | None, Label] = {
    True: Label("成立", "true"),
    False: Label("不成立", "false"),
    None: Label("未知", "unknown"),
}
MARKS: Mapping[bool | None, tuple[str, str]] = {True: ("yes", "✓"), False: ("no", "✗"), None: ("unknown", "?")}
"""CSS class and sign of a truth, so that no one needs to see colours."""

CAME_MARKS: Mapping[Came, bool | None] = {
    Came.IN_TIME: True,
    Came.STANDS: True,
    Came.LATE: False,
    Came.MISSING: False,
    Came.FELL: False,
    Came.UNSEEN: None,
    Came.WAITING: None,
}
"""What became of a linkage's condition, as one of MARKS."""

CHANNEL_STATES: Mapping[str, Label] = {
    "pending": Label("待发送", "waits to be sent"),
    "sent": Label("已发送", "sent"),
    "dead": Label("发送失败", "given up"),
}
