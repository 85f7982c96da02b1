"""Every text of the console that is not data, in both languages."""

from __future__ import annotations

from collections.abc import Mapping

from facility.points import Label

TEXTS: dict[str, Label] = {
    # frame
    "wall": Label("总览", "Wall"),
    "alarms": Label("报警", "Alarms"),
    "tickets": Label("工单", "Tickets"),
    "trials": Label("规则试运行", "Rule trials"),
    "other_language": Label("English", "中文"),
    "logout": Label("退出", "Log out"),
    "sound_on": Label("声音：开", "Sound: on"),
    "sound_off": Label("声音：已静音", "Sound: muted"),
    "sound_blocked": Label("点击启用声音", "Click to allow sound"),
    "gateway": Label("网关", "Gateway"),
    "online": Label("在线", "online"),
    "offline": Label("离线", "OFFLINE"),
    "gateway_online": Label("{n} 个网关在线", "{n} gateway online"),
    "gateways_online": Label("{n} 个网关在线", "{n} gateways online"),
    "devices_down": Label("{n} 台设备中断", "{n} devices down"),
    "broker_lost": Label(
        "消息总线已断开：画面数据不是实时的", "The message broker is gone: nothing shown here is live"
    ),
    "page_lost": Label("与服务器断开：画面数据不是实时的", "The server is gone: nothing shown here is live"),
    "records_lost": Label(
        "报警数据库没有响应：报警列表可能已过时", "The alarm records don't answer: this list may be out of date"
    ),
    "all_quiet": Label("无报警", "no alarms"),
    # login
    "login": Label("登录", "Log in"),
    "name": Label("用户名", "Name"),
    "password": Label("密码", "Password"),
    "login_wrong": Label("用户名或密码不正确", "The name or the password is wrong"),
    "login_many": Label("尝试次数过多，请稍后再试", "Too many tries; wait a little"),
    "login_down": Label("暂时无法登录，请稍后再试", "Login is not possible now; try again soon"),
    "motto": Label("楼宇设备监护", "Watching over the building"),
    # wall and asset
    "no_data": Label("尚无数据", "no data yet"),
    "old": Label("过期 {age}", "stale {age}"),
    "all_stale": Label("数据全部过期", "all values stale"),
    "kept_quiet": Label("报警已搁置或抑制", "alarm kept quiet"),
    "more_alarms": Label("另有 {n} 条", "{n} more"),
    "point": Label("点位", "Point"),
    "value": Label("数值", "Value"),
    "quality": Label("质量", "Quality"),
    "updated": Label("更新", "Updated"),
    "ago": Label("{age}前", "{age} ago"),
    "just_now": Label("刚刚", "just now"),
    "history": Label("历史曲线", "History"),
    "span_10": Label("10 分钟", "10 min"),
    "span_60": Label("1 小时", "1 h"),
    "span_360": Label("6 小时", "6 h"),
    "span_1440": Label("24 小时", "24 h"),
    "span_10080": Label("7 天", "7 d"),
    "choose_point": Label("选择点位查看曲线", "Choose a point to draw it"),
    "nothing_in_span": Label("此时段没有数据", "Nothing was stored in this span"),
    "store_down": Label("历史数据库没有响应", "The readings store does not answer"),
    "mean": Label("平均", "mean"),
    "low_high": Label("最小–最大", "min–max"),
    "ledger": Label("台账", "Ledger"),
    "no_asset": Label("没有设备 {id}", "There is no asset {id}"),
    # commands
    "commands": Label("遥控", "Commands"),
    "last_commands": Label("最近的指令", "Last commands"),
    "no_commands": Label("尚无指令", "Nothing was commanded yet"),
    "new_value": Label("新值", "New value"),
    "command_do": Label("设置…", "Set…"),
    "command_title": Label("下发指令", "Give a command"),
    "approve_title": Label("批准指令", "Approve the command"),
    "command_for": Label("有效时间", "For how long"),
    "command_ever": Label("一直有效", "Until it is changed"),
    "command_given": Label("指令已提交", "The command is given"),
    "choose_value": Label("请先给出新值", "Say first what it shall be"),
    "limits": Label("{low}–{high}", "{low}–{high}"),
    "outside": Label("须在 {low} 与 {high} 之间", "From {low} to {high}"),
    "two_people": Label("须由另一人批准", "Somebody else has to approve"),
    "reverts": Label("最长 {age}，之后恢复原值", "Reverts after {age} at most"),
    "requires": Label("前提：{what}", "Needs {what}"),
    "stands": Label("{age}后恢复", "reverts after {age}"),
    "asked_by": Label("{who} 下发", "asked by {who}"),
    "approved_by": Label("{who} 批准", "approved by {who}"),
    "approve_before": Label("须由另一人在 {at} 前批准", "Somebody else has to approve it before {at}"),
    "approve": Label("批准", "Approve"),
    "withdraw": Label("撤回", "Withdraw"),
    # alarms
    "acknowledge": Label("确认", "Acknowledge"),
    "reset": Label("复位", "Reset"),
    "shelve": Label("搁置", "Shelve"),
    "unshelve": Label("解除搁置", "Unshelve"),
    "shelve_title": Label("搁置报警", "Shelve the alarm"),
    "shelve_for": Label("时长", "For how long"),
    "reason": Label("原因", "Reason"),
    "reason_needed": Label("请填写原因", "Say why"),
    "cancel_dialog": Label("返回", "Back"),
    "confirm": Label("确定", "Confirm"),
    "guidance": Label("处置指引", "What to do"),
    "journal": Label("经过", "What happened"),
    "no_alarms": Label("当前没有报警", "There are no alarms now"),
    "shown_of": Label("显示前 {n} 项，共 {all} 项", "The first {n} of {all}"),
    "one_list": Label("列表", "List"),
    "by_location": Label("按位置", "By place"),
    "by_cause": Label("按原因", "By cause"),
    "by_asset": Label("按设备", "By asset"),
    "alarms_1": Label("{n} 条报警", "{n} alarm"),
    "alarms_n": Label("{n} 条报警", "{n} alarms"),
    "consequence_1": Label("及其 {n} 条后果", "and {n} consequence"),
    "consequences_n": Label("及其 {n} 条后果", "and {n} consequences"),
    "cause_is": Label("原因", "Cause"),
    "flood": Label(
        "报警洪峰（{at} 起）：{n} 条报警，其中 {untold} 条仅汇总通知",
        "Alarm flood since {at}: {n} alarms, {untold} of them told in summaries only",
    ),
    "raised": Label("发生于 {at}", "raised {at}"),
    "by": Label("{who} 确认", "acknowledged by {who}"),
    "until": Label("至 {at}", "until {at}"),
    "facts": Label("触发时的值", "What the rule saw"),
    "done": Label("已执行", "Done"),
    "quicker": Label("未执行：状态已变化（{state}）", "Not done: it is {state} by now"),
    "forbidden": Label("您的角色无权执行此操作", "Your role may not do this"),
    "try_again": Label("暂时无法执行，请重试", "Not possible now; try again"),
    "logged_out": Label("登录已失效，请重新登录", "You are logged out; log in again"),
    "ticket_of": Label("工单", "Ticket"),
    "rule_text": Label("规则 {rule}，版本 {version}", "rule {rule}, version {version}"),
    # rules on trial
    "shadow_rules": Label("影子规则：最近 {n} 天与现行规则对比", "Shadow rules beside the live ones, last {n} days"),
    "no_shadow_rules": Label("没有影子规则", "No shadow rule runs"),
    "shadow_beside": Label("与现行规则 {rule} 对比", "beside the live rule {rule}"),
    "shadow_alone": Label("没有对应的现行规则", "no live rule beside it"),
    "since": Label("自 {at} 起", "since {at}"),
    "asset": Label("设备", "Asset"),
    "live_rule": Label("现行规则", "Live rule"),
    "shadow_rule": Label("影子规则", "Shadow rule"),
    "difference": Label("差别", "Difference"),
    "stands_now": Label("仍在", "stands"),
    "at_night": Label("夜间（22–6 时）", "at night (22–06)"),
    "change_none": Label("相同", "the same"),
    "no_such_rule": Label("规则 {id} 从未运行", "The rule {id} never ran"),
    "no_such_version": Label("没有这个版本", "There is no such version"),
    "read_from": Label("来自 {origin}，由 {by} 首次运行", "from {origin}, first run by {by}"),
    # simulated hardware
    "hardware": Label("模拟设备", "Simulator"),
    "faults_on": Label("正在发生的故障", "Faults that are on"),
    "no_faults": Label("一切正常，没有注入的故障", "Nothing is wrong on purpose"),
    "on_for": Label("已持续 {age}，直到手动结束", "for {age}, until it is ended"),
    "on_left": Label("已持续 {age}，剩余 {left}", "for {age}, {left} left"),
    "crashed": Label("模拟程序出错，已停止应答", "its simulation broke down; it answers no more"),
    "of_scenario": Label("由场景控制", "the scenario ends it"),
    "end_fault": Label("结束", "End"),
    "begin_fault": Label("注入故障", "Begin"),
    "do_act": Label("执行", "Do it"),
    "length_field": Label("持续秒数（0 = 手动结束）", "Seconds (0: until ended)"),
    "choose_subject": Label("请在左侧选择设备", "Choose something on the left"),
    "faults_of": Label("{id} 的故障", "Faults of {id}"),
    "faults_of_points": Label("{id} 的测点故障", "Faults of single points of {id}"),
    "acts_of": Label("对 {id} 的操作", "What people do to {id}"),
    # linkage
    "linkage": Label("消防联动", "Linkage"),
    "linkage_runs": Label("联动核查记录", "Linkage runs"),
    "no_linkage": Label("尚无记录：火警确认后自动开始核查", "None yet: a run begins when a fire is confirmed"),
    "linkage_left": Label("剩余 {n} s", "{n} s left"),
    "linkage_limit": Label("时限 {n} s", "limit {n} s"),
    "linkage_since": Label("T0 后 {n} s", "T0 + {n} s"),
    "linkage_undecided": Label("未到时限", "undecided"),
    "linkage_stands": Label("保持", "standing"),
    "linkage_print": Label("打印", "Print"),
    "linkage_table": Label("导出表格", "Export CSV"),
    "linkage_note": Label("添加说明", "Add a note"),
    "linkage_say": Label("请填写说明", "Say something"),
    # tickets
    "open_tickets": Label("未完成", "Open"),
    "all_tickets": Label("全部", "All"),
    "newest": Label("仅显示最近的 {n} 条", "Only the newest {n}"),
    "no_tickets": Label("没有工单", "There are no tickets"),
    "assignee": Label("负责人", "Assignee"),
    "nobody": Label("未指派", "nobody yet"),
    "assign_to": Label("指派给", "Assign to"),
    "note": Label("备注", "Note"),
}

TICKET_EVENTS: dict[str, Label] = {
    "assign": Label("指派", "Assign"),
    "accept": Label("接单", "Accept"),
    "arrive": Label("到场", "Arrive"),
    "finish": Label("完成", "Finish"),
    "verify": Label("验收", "Verify"),
    "close": Label("关闭", "Close"),
    "cancel": Label("取消工单", "Cancel ticket"),
    "reopen": Label("重新打开", "Reopen"),
}

EVENTS: dict[str, Label] = {
    "raise": Label("发生", "Raised"),
    "clear": Label("恢复", "Returned to normal"),
    "acknowledge": Label("确认", "Acknowledged"),
    "reset": Label("复位", "Reset"),
    "shelve": Label("搁置", "Shelved"),
    "unshelve": Label("解除搁置", "Unshelved"),
    "suppress": Label("按设计抑制", "Suppressed by design"),
    "release": Label("解除抑制", "Released"),
    "remove": Label("停用", "Taken out of service"),
    "return": Label("恢复使用", "Back in service"),
    "orphaned": Label("规则已删除", "Its rule is gone"),
    "announce": Label("补发通知", "Told later"),
    "fold": Label("归入原因", "Put under its cause"),
    "escalate": Label("升级", "More severe"),
}


CHANGES: dict[str, Label] = {
    "added": Label("新增", "added"),
    "removed": Label("消失", "removed"),
    "earlier": Label("更早", "earlier"),
    "later": Label("更晚", "later"),
    "longer": Label("更长", "longer"),
    "shorter": Label("更短", "shorter"),
}
"""How an alarm of a shadow rule differs from that of the live one."""


ACTORS: dict[str, Label] = {"engine": Label("规则", "rules"), "system": Label("系统", "system")}
"""Who did something when it was no person."""

ATTRIBUTES: dict[str, Label] = {
    "maker": Label("制造商", "Maker"),
    "model": Label("型号", "Model"),
    "serial": Label("出厂编号", "Serial number"),
    "registration": Label("登记编号", "Registration"),
    "commissioned": Label("投用日期", "Commissioned"),
    "warranty_until": Label("保修至", "Warranty until"),
    "contractor": Label("维保单位", "Contractor"),
    "floors": Label("层站数", "Floors"),
    "lowest_floor": Label("最低层", "Lowest floor"),
    "speed": Label("额定速度 (m/s)", "Rated speed (m/s)"),
    "load_kg": Label("额定载重 (kg)", "Rated load (kg)"),
    "load": Label("额定负载", "Rated load"),
    "motor_kw": Label("电机功率 (kW)", "Motor (kW)"),
    "power": Label("额定功率", "Rated power"),
    "pressure": Label("额定压力", "Rated pressure"),
    "flow": Label("额定流量", "Rated flow"),
    "pumps": Label("水泵台数", "Pumps"),
    "voltage": Label("额定电压 (V)", "Rated voltage (V)"),
    "current": Label("额定电流 (A)", "Rated current (A)"),
    "va": Label("额定容量 (VA)", "Rated VA"),
    "doors": Label("门数", "Doors"),
    "devices": Label("回路设备数", "Devices on loops"),
    "loops": Label("回路数", "Loops"),
    "zones": Label("分区数", "Zones"),
    "transfer_switch": Label("双电源开关", "Transfer switch"),
    "battery_blocks": Label("电池组数", "Battery blocks"),
}
"""What ledgers and rated values usually hold; a site may hold anything, which is then shown under its own key."""


def say(key: str, language: str, **fill: object) -> str:
    """A text of the console; `fill` replaces `{name}` in it. KeyError for a key that is not in the table."""
    return TEXTS[key].to(language).format(**fill)


def word(table: Mapping[str, Label], key: str, language: str) -> str:
    """A word of one of the tables; the bare key for one that it does not know."""
    label = table.get(key)
    return label.to(language) if label else key
