"""Pure: imported devices -> the texts of files that a person reviews and puts into a site folder.

Devices of the same shape share a profile: what differs between them, their topics, are params of the device.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import yaml

from gateway.discovery.mapping import Imported, Item, Refused

REPORT = "report.txt"
_ROUND = str.maketrans("[]{}", "()()")
_SLUG = re.compile(r"[^a-z0-9]+")

Shape = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """The files by their path below the output folder."""

    files: Mapping[str, str]
    profiles: int
    devices: int
    points: int


def write(devices: Sequence[Imported], refused: Sequence[Refused], source: str) -> Written:
    """The files for these devices; `refused` are topics that could not even be read."""
    usable = [device for device in devices if device.items]
    profiles: dict[Shape, str] = {}
    files: dict[str, str] = {}
    entries, assets = [_DEVICES], [_ASSETS]
    names: set[str] = set()
    for device in usable:
        shape = _shape(device)
        if shape not in profiles:
            profiles[shape] = _unique(_profile_id(device), set(profiles.values()), 60)
            files[f"profiles/{profiles[shape]}.yaml"] = "\n".join(_profile(device, profiles[shape])) + "\n"
        name = _unique(_slug(device.origin.name) or _slug(device.origin.key) or "device", names, 60)
        names.add(name)
        entries.append("\n".join(_device(device, name, profiles[shape])))
        assets.append("\n".join(_asset(device, name)))
    if usable:
        files["devices.yaml"] = "\n".join(entries) + "\n"
        files["assets.yaml"] = "\n".join(assets) + "\n"
    files[REPORT] = "\n".join(_report(devices, refused, source)) + "\n"
    return Written(files, len(profiles), len(usable), sum(len(device.items) for device in usable))


_DEVICES = (
    "# Devices imported from Home Assistant's discovery. Check their assets, then add the entries to devices.yaml.\n"
    "devices:"
)
_ASSETS = (
    "# One asset for each imported device. Give them their own ids, names and places, then add them to assets.yaml;\n"
    "# or leave them away and let the devices serve assets that you have.\n"
    "assets:"
)


def _shape(device: Imported) -> Shape:
    """What devices of one profile have in common: everything but their topics and names."""
    params = _params(device)
    items = tuple(
        (item.point, params[item.topic], item.path, item.scale, item.offset, tuple(sorted((item.values or {}).items())))
        for item in device.items
    )
    presence = (device.presence.online, device.presence.offline) if device.presence else ()
    return device.origin.maker, device.origin.model, device.asset_class, device.stale_after, presence, items


def _params(device: Imported) -> dict[str, str]:
    """topic -> the name of the param that holds it, in the order of the device's items."""
    topics = list(dict.fromkeys(item.topic for item in device.items))
    return {topic: f"state_{number}" if topics[1:] else "state" for number, topic in enumerate(topics, 1)}


def _profile(device: Imported, name: str) -> Iterator[str]:
    params = _params(device)
    model = " ".join(part for part in (device.origin.maker, device.origin.model) if part) or device.origin.name
    yield f"# {_line(model)}, from Home Assistant's MQTT discovery. The topics stand in devices.yaml."
    yield "# Check each point against the device before you rely on it; its class says what the points mean."
    yield f"profile: {name}"
    yield f"class: {device.asset_class}"
    label = _quoted(_line(model).strip() or name)
    yield f"labels: {{zh: {label}, en: {label}}}"
    yield f"source: {_quoted('Home Assistant MQTT discovery, as the device told it')}"
    yield "protocol: mqtt"
    yield f"params: [{', '.join([*params.values(), *(['availability'] if device.presence else [])])}]"
    yield f"stale_after: {_number(device.stale_after)}"
    if device.presence:
        words = f"online: {_quoted(device.presence.online)}, offline: {_quoted(device.presence.offline)}"
        yield f'availability: {{topic: "{{availability}}", {words}}}'
    yield "topics:"
    for topic, param in params.items():
        yield f'  - topic: "{{{param}}}"'
        yield "    values:"
        yield from (f"      - {_value(item)}  # {_line(_entity(item))}" for item in device.items if item.topic == topic)


def _entity(item: Item) -> str:
    """The entity without its device's name: the profile may serve several."""
    return item.entity.partition(": ")[2]


def _value(item: Item) -> str:
    parts = [f"point: {_quoted(item.point)}"]
    if item.path:
        parts.append(f"path: {_quoted(item.path)}")
    if item.scale != 1:
        parts.append(f"scale: {_number(item.scale)}")
    if item.offset:
        parts.append(f"offset: {_number(item.offset)}")
    if item.values is not None:
        words = ", ".join(f"{_quoted(word)}: {number}" for word, number in item.values.items())
        parts.append(f"values: {{{words}}}")
    return f"{{{', '.join(parts)}}}"


def _device(device: Imported, name: str, profile: str) -> Iterator[str]:
    yield from (f"  # {_line(note)}" for note in device.notes)
    yield f"  - id: {_quoted(name)}  # {_line(device.origin.name)}"
    yield f"    profile: {profile}"
    yield f"    asset: {_quoted(name)}"
    yield "    params:"
    for topic, param in _params(device).items():
        yield f"      {param}: {_quoted(topic)}"
    if device.presence:
        yield f"      availability: {_quoted(device.presence.topic)}"


def _asset(device: Imported, name: str) -> Iterator[str]:
    label = _quoted(_line(device.origin.name).strip() or name)
    yield f"  - {{id: {_quoted(name)}, class: {device.asset_class}, labels: {{zh: {label}, en: {label}}}}}"


def _report(devices: Sequence[Imported], refused: Sequence[Refused], source: str) -> Iterator[str]:
    yield f"Home Assistant discovery from {_plain(source)}"
    for device in devices:
        model = ", ".join(part for part in (device.origin.maker, device.origin.model) if part)
        yield ""
        yield _plain(f"{device.origin.name} ({model})" if model else device.origin.name)
        if device.items:
            yield f"  class {device.asset_class}, stale after {_number(device.stale_after)} s"
        yield from (f"  {item.point:<24}{_plain(_entity(item))}" for item in device.items)
        yield from (f"  note: {_plain(note)}" for note in device.notes if device.items)
        yield from (
            f"  left out: {_plain(one.entity.partition(': ')[2])}: {_plain(one.reason)}" for one in device.refused
        )
    if refused:
        yield ""
        yield "Not read"
        yield from (f"  {_plain(one.entity)}: {_plain(one.reason)}" for one in refused)


def _profile_id(device: Imported) -> str:
    model = _slug(f"{device.origin.maker} {device.origin.model}") or _slug(device.origin.name)
    return f"ha-{model or device.asset_class.replace('_', '-')}"[:60].rstrip("-")


def _slug(text: str) -> str:
    return _SLUG.sub("-", text.lower()).strip("-")[:60].rstrip("-")


def _unique(name: str, taken: Iterable[str], longest: int) -> str:
    """The name, or with the next free number behind it."""
    used, number, found = set(taken), 1, name
    while found in used:
        number += 1
        found = f"{name[: longest - len(str(number)) - 1]}-{number}"
    return found


def _line(text: str) -> str:
    """A foreign text on one line, for a comment or a label; brackets, which need not match, are made round."""
    return _plain(text).translate(_ROUND)


def _plain(text: str) -> str:
    """A foreign text on one line, for people only."""
    shown = "".join(letter if letter.isprintable() else " " for letter in text)
    return shown if len(shown) <= 200 else f"{shown[:197]}..."


def _quoted(text: str) -> str:
    """A text as a YAML scalar that stays a text, whatever is in it."""
    return str(yaml.safe_dump(text, default_style='"', allow_unicode=True, width=1_000_000)).strip()


def _number(number: float) -> str:
    return str(int(number)) if number.is_integer() else repr(number)
