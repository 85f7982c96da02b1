"""What the boards say, in both languages, and how states are coloured."""

from __future__ import annotations

from facility.points import Label, Point

GROUPS: dict[str, Label] = {
    "dev": Label("设备自身", "Device"), "car": Label("轿厢", "Car"), "door": Label("门", "Doors"),
    "mode": Label("模式", "Mode"), "fire": Label("消防", "Fire operation"), "safety": Label("安全", "Safety"),
    "alarm": Label("报警与对讲", "Alarm and intercom"), "level": Label("平层", "Levelling"),
    "brake": Label("制动器", "Brake"), "drive": Label("驱动", "Drive"), "mr": Label("机房", "Machine room"),
    "pit": Label("底坑", "Pit"), "power": Label("电源", "Power supply"), "cnt": Label("计数", "Counts"),
    "fault": Label("故障", "Faults"), "reader": Label("读卡器", "Readers"), "event": Label("事件", "Events"),
    "ctl": Label("控制器", "Controller"), "gate": Label("道闸", "Barrier"), "panel": Label("主机", "Panel"),
    "loop": Label("回路", "Loops"), "zone": Label("分区", "Zones"), "det": Label("部件", "Devices"),
    "hydrant": Label("消火栓", "Hydrants"), "sprinkler": Label("喷淋", "Sprinklers"),
    "hydrant_pump": Label("消火栓泵", "Hydrant pump"), "sprinkler_pump": Label("喷淋泵", "Sprinkler pump"),
    "fire_pump": Label("消防泵", "Fire pump"), "jockey": Label("稳压泵", "Jockey pump"),
    "tank": Label("水箱", "Tank"), "link": Label("联动与通信", "Linkage"), "shutter": Label("卷帘", "Shutters"),
    "fan": Label("风机", "Fans"), "damper": Label("风阀", "Dampers"), "utd": Label("传输装置", "Transmission device"),
    "u": Label("电压", "Voltage"), "i": Label("电流", "Current"), "p": Label("有功功率", "Active power"),
    "q": Label("无功功率", "Reactive power"), "s": Label("视在功率", "Apparent power"),
    "pf": Label("功率因数", "Power factor"), "f": Label("频率", "Frequency"), "thd": Label("谐波", "Harmonics"),
    "e": Label("有功电能", "Active energy"), "eq": Label("无功电能", "Reactive energy"),
    "demand": Label("需量", "Demand"), "breaker": Label("断路器", "Breakers"), "busbar": Label("母排", "Busbars"),
    "tx": Label("变压器", "Transformer"), "ats": Label("双电源", "Transfer switch"),
    "gen": Label("发电机", "Generator"), "ups": Label("不间断电源", "UPS"), "batt": Label("电池", "Batteries"),
    "room": Label("机房环境", "Room"), "sys": Label("机组", "Pump set"), "pump": Label("单泵", "Pumps"),
    "maint": Label("维护", "Service"), "wq": Label("水质", "Water quality"), "sump": Label("集水井", "Sump"),
    "fw": Label("消防给水", "Fire water"), "gw": Label("网关", "Gateway"),
    "device": Label("被采集设备", "Polled devices"),
    "chiller": Label("冷水机组", "Chiller"), "chw": Label("冷冻水", "Chilled water"),
    "cw": Label("冷却水", "Condenser water"), "evap": Label("蒸发器", "Evaporator"),
    "cond": Label("冷凝器", "Condenser"), "tower": Label("冷却塔", "Cooling tower"),
    "outdoor": Label("室外", "Outdoors"), "ahu": Label("空调机组", "Air handler"),
    "rec": Label("录像机", "Recorder"), "disk": Label("硬盘", "Disks"), "camera": Label("摄像机", "Cameras"),
    "lux": Label("照度", "Illuminance"), "circuit": Label("照明回路", "Circuits"),
    "lamp_faults": Label("灯具故障", "Lamp faults"), "emergency": Label("应急照明", "Emergency lighting"),
    "air": Label("空气", "Air"), "leak": Label("漏水", "Leaks"), "smoke": Label("烟感", "Smoke"),
    "sensor": Label("传感器", "Sensors"),
}  # fmt: skip
"""First part of a point key -> the row it stands in; a key of a site's own class shows its first part."""

HEADLINES = {
    "elevator": "car.floor",
    "water_pump": "sys.outlet_pressure",
    "power": "p.total",
    "fire_alarm": "cnt.alarm",
    "access_control": "door[1].open_seconds",
    "gateway": "gw.spool_used",
    "hvac": "chw.leaving_temp",
    "cctv": "rec.days",
    "drainage": "sump.level",
    "lighting": "circuit[1].power",
    "environment": "air.temp",
}
"""The one measurement per class that the overview compares across assets."""

OVERVIEW = Label("总览", "Overview")
ALARMS = Label("报警与工单", "Alarms and tickets")
CRITICAL = Label("关键状态", "Critical states")
LIVE = Label("实时值", "Live values")
STATES = Label("状态", "States")
COUNTERS = Label("累计", "Counters")
TEXTS = Label("文本", "Texts")
ASSET = Label("设备", "Asset")

_RED = (
    "alarm", "alarm_button", "detected", "door_close_fault", "door_open_fault", "entrapment", "fail", "failed", "fault",
    "fire", "floor_lost", "forced", "lost", "motion_timer", "overload", "overspeed", "overtravel_bottom",
    "overtravel_top", "power_fault", "run_timeout", "safety_chain_open", "smoke", "stopped_outside_zone", "tamper",
    "tripped", "unintended_movement", "zero", "depleted", "low_low", "overflow", "main_power_lost",
)  # fmt: skip
_ORANGE = (
    "battery", "bypass", "degraded", "disabled", "held", "inspection", "low", "manual", "not_auto", "offline",
    "over", "phase_missing", "prealarm", "replace", "supervisory", "unbalance", "under", "unknown", "warning", "weak",
    "wrong_sequence", "leak", "moisture", "water", "emergency_power", "fire_return", "firefighter", "earthquake",
    "covered", "frozen", "blurred", "black", "no_flow", "testing",
)  # fmt: skip
_GREEN = (
    "normal",
    "ok",
    "online",
    "good",
    "auto",
    "closed",
    "on_normal",
    "source1",
    "running",
    "full",
    "pass",
    "ready",
    "none",
)
_OF_POINTS = {
    "safety.chain_closed": {"open": "red"},
    "alarm.car_button": {"pressed": "red"},
    "ats.position": {"source2": "orange", "between": "orange", "off": "red"},
    "fire_pump.run": {"running": "orange"},
    "hydrant_pump.run": {"running": "orange"},
    "sprinkler_pump.run": {"running": "orange"},
    "panel.started": {"started": "orange"},
    "link.gas_release": {"released": "red"},
    "room.flood": {"dry": "green"},
    "sump.overflow_float": {"reached": "red"},
}
NEUTRAL = ("blue", "light-blue", "dark-blue", "super-light-blue", "semi-dark-blue", "purple")
COLOURS = dict.fromkeys(_RED, "red") | dict.fromkeys(_ORANGE, "orange") | dict.fromkeys(_GREEN, "green")
"""State code -> colour; the words beside it carry the meaning, the colour only helps."""


def colour_of(point: Point, code: str, index: int) -> str:
    """The colour of a state: by point, then by code; others are told apart by shades of blue (`index` counts)."""
    known = _OF_POINTS.get(point.key, {}).get(code) or COLOURS.get(code)
    return known or NEUTRAL[index % len(NEUTRAL)]
