"""Pure: a discovery topic and its payload -> entities with long keys, whole topics, and the device they belong to.

Three shapes are in use: `<prefix>/<component>/<object>/config`, the same with a node before the object, and
`<prefix>/device/<object>/config`, whose payload holds many components and what they share.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from facility.errors import DecodeError
from gateway.mapping import parse

MAX_COMPONENTS = 500
"""Components of one device; a payload with more is refused."""

_LONG: Mapping[str, str] = {
    "avty": "availability", "avty_mode": "availability_mode", "avty_t": "availability_topic",
    "avty_tpl": "availability_template", "cmd_t": "command_topic", "cmps": "components",
    "def_ent_id": "default_entity_id", "dev": "device", "dev_cla": "device_class", "e": "encoding",
    "en": "enabled_by_default", "ent_cat": "entity_category", "exp_aft": "expire_after", "frc_upd": "force_update",
    "json_attr_t": "json_attributes_topic", "json_attr_tpl": "json_attributes_template", "o": "origin",
    "obj_id": "object_id", "off_dly": "off_delay", "p": "platform", "pl_avail": "payload_available",
    "pl_not_avail": "payload_not_available", "pl_off": "payload_off", "pl_on": "payload_on",
    "stat_cla": "state_class", "stat_off": "state_off", "stat_on": "state_on", "stat_t": "state_topic",
    "stat_val_tpl": "state_value_template", "t": "topic", "uniq_id": "unique_id",
    "unit_of_meas": "unit_of_measurement", "val_tpl": "value_template",
}  # fmt: skip
_DEVICE: Mapping[str, str] = {
    "cns": "connections", "cu": "configuration_url", "hw": "hw_version", "ids": "identifiers", "mdl": "model",
    "mdl_id": "model_id", "mf": "manufacturer", "sa": "suggested_area", "sn": "serial_number", "sw": "sw_version",
}  # fmt: skip
_SHARED = (
    "availability", "availability_mode", "availability_template", "availability_topic", "command_topic", "encoding",
    "payload_available", "payload_not_available", "qos", "state_topic", "~",
)  # fmt: skip
"""What a device-based payload may say once for all its components."""


@dataclass(frozen=True, slots=True)
class Origin:
    """The device that an entity belongs to. `key` is the same for all its entities."""

    key: str
    name: str
    maker: str = ""
    model: str = ""


@dataclass(frozen=True, slots=True)
class Entity:
    """One entity: its component (sensor, switch, ...), its config with long keys and whole topics, where it stands."""

    component: str
    object_id: str
    name: str
    origin: Origin
    config: Mapping[str, object] = field(default_factory=dict)
    topic: str = ""

    @property
    def title(self) -> str:
        """How a report calls it."""
        return f"{self.origin.name}: {self.component} {self.name}"

    def text(self, key: str) -> str:
        """The text of a key, empty where there is none; DecodeError when it is no text."""
        value = self.config.get(key)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise DecodeError(f"{key} is no text")
        return value


def expand(topic: str, payload: bytes, prefix: str = "homeassistant") -> list[Entity]:
    """The entities of one config topic; none when the payload is empty (deleted), DecodeError when it is no config."""
    component, object_id = _place(topic, prefix)
    if not payload.strip():
        return []
    config = parse(payload)
    if not isinstance(config, dict):
        raise DecodeError("the config is no JSON object")
    config = _lengthened(config, _LONG)
    if component == "device":
        return list(_components(topic, object_id, config))
    return [_entity(topic, component, object_id, config)]


def _place(topic: str, prefix: str) -> tuple[str, str]:
    """(component, object id) of a config topic."""
    levels = topic.removeprefix(f"{prefix}/").split("/")
    if not topic.startswith(f"{prefix}/") or len(levels) not in (3, 4) or levels[-1] != "config":
        raise DecodeError(f"is no {prefix}/<component>/[<node>/]<object>/config")
    return levels[0], levels[-2]


def _lengthened(config: Mapping[str, object], names: Mapping[str, str]) -> dict[str, object]:
    """The config with long keys; where both are given, the long one counts."""
    found = {names[key]: value for key, value in config.items() if key in names}
    return found | {key: value for key, value in config.items() if key not in names}


def _components(topic: str, object_id: str, config: Mapping[str, object]) -> Iterator[Entity]:
    components = config.get("components")
    if not isinstance(components, dict):
        raise DecodeError("the config of a device has no components")
    if len(components) > MAX_COMPONENTS:
        raise DecodeError(f"{len(components)} components; the limit is {MAX_COMPONENTS}")
    shared = {key: config[key] for key in _SHARED if key in config} | {"device": config.get("device")}
    for key, given in components.items():
        if not isinstance(given, dict):
            raise DecodeError(f"the component {key!r} is no JSON object")
        own = _lengthened(given, _LONG)
        component = own.pop("platform", None)
        if not isinstance(component, str):
            raise DecodeError(f"the component {key!r} has no platform")
        if own:  # nothing but its platform: this is how one is removed
            yield _entity(topic, component, key, {**shared, **own}, fallback=object_id)


def _entity(topic: str, component: str, object_id: str, config: Mapping[str, object], *, fallback: str = "") -> Entity:
    based = _based(config)
    name = based.get("name")
    origin = _origin(based.get("device"), fallback or object_id)
    return Entity(component, object_id, name if isinstance(name, str) and name else object_id, origin, based, topic)


def _based(config: Mapping[str, object]) -> dict[str, object]:
    """The config with `~` replaced at the beginning or end of its topics, those of the availability list too."""
    base = config.get("~")
    found = {key: value for key, value in config.items() if key != "~"}
    listed = found.get("availability")
    if isinstance(listed, dict):
        listed = [listed]
    if isinstance(listed, list):
        found["availability"] = [
            _with_base(_lengthened(item, _LONG), base) if isinstance(item, dict) else item for item in listed
        ]
    return _with_base(found, base)


def _with_base(config: dict[str, object], base: object) -> dict[str, object]:
    if not isinstance(base, str):
        return config
    return {key: _filled(value, base) if key.endswith("topic") else value for key, value in config.items()}


def _filled(value: object, base: str) -> object:
    if not isinstance(value, str):
        return value
    if value.startswith("~"):
        return base + value[1:]
    return value[:-1] + base if value.endswith("~") else value


def _origin(device: object, object_id: str) -> Origin:
    """The device block; an entity without one stands for itself."""
    block = _lengthened(device, _DEVICE) if isinstance(device, dict) else {}
    ids = block.get("identifiers", block.get("connections"))
    key = str(ids[0] if isinstance(ids, list) and ids else ids or object_id)
    texts = {name: str(block.get(name) or "") for name in ("name", "manufacturer", "model")}
    return Origin(key, texts["name"] or key or "?", texts["manufacturer"], texts["model"])
