"""The whole of a board: its envelope, its variables, and every panel in its place on the grid of 24 columns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from dashboards.panels import Json
from facility.assets import Asset
from facility.config import Site
from facility.points import Label

COLUMNS = 24
SCHEMA = 41
"""Grafana 11.6; later ones migrate it themselves."""
MAX_UID = 40


def uid(site: str, board: str, language: str) -> str:
    """A board's uid: the same for the same board always, at most 40 characters."""
    name = f"ct-{site}-{board}-{language}"
    if len(name) <= MAX_UID:
        return name
    return f"{name[: MAX_UID - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def board(site: Site, name: str, title: Label, panels: Sequence[Json], *, language: str, **more: Any) -> Json:
    """A board of laid out panels. `more`: `variables`, `annotations` (lists), `refresh`."""
    return {
        "uid": uid(site.id, name, language),
        "title": f"{site.label.to(language)} · {title.to(language)}",
        "tags": ["caretaker", site.id, language],
        "schemaVersion": SCHEMA,
        "version": 0,
        "editable": False,
        "graphTooltip": 1,
        "timezone": site.time_zone,
        "time": {"from": "now-6h", "to": "now"},
        "refresh": more.get("refresh", "10s"),
        "templating": {"list": list(more.get("variables", ()))},
        "annotations": {"list": list(more.get("annotations", ()))},
        "links": [_link(site, language)],
        "panels": laid_out(panels),
    }


def chosen_asset(assets: Sequence[Asset], label: str, language: str) -> Json:
    """A variable `asset`: one of these assets, shown by name."""
    options = [
        {"text": _plain(f"{asset.label.to(language)} ({asset.id})"), "value": asset.id, "selected": index == 0}
        for index, asset in enumerate(assets)
    ]
    return {
        "type": "custom",
        "name": "asset",
        "label": label,
        "query": ", ".join(f"{option['text']} : {option['value']}" for option in options),
        "options": options,
        "current": options[0],
        "multi": False,
        "includeAll": False,
        "hide": 0,
        "skipUrlSync": False,
    }


def laid_out(panels: Sequence[Json]) -> list[Json]:
    """The panels with ids and places: left to right, then down; a row begins a new line."""
    ids = iter(range(1, 1_000_000))
    placed, _ = _place(panels, 0, ids)
    return placed


def _place(panels: Sequence[Json], top: int, ids: Iterator[int]) -> tuple[list[Json], int]:
    """(panels in their places from line `top` down, the first free line)."""
    placed: list[Json] = []
    x = height = 0
    for panel in panels:
        size = panel["gridPos"]
        if panel["type"] == "row" or x + size["w"] > COLUMNS:
            top, x, height = top + height, 0, 0
        there = panel | {"id": next(ids), "gridPos": size | {"x": x, "y": top}}
        x += size["w"]
        height = max(height, size["h"])
        placed.append(there)
        if panel["type"] == "row":
            top, x, height = top + size["h"], 0, 0
            inside, below = _place(panel["panels"], top, ids)
            if panel["collapsed"]:
                there["panels"] = inside  # keeps its place for the day it is opened; what follows moves up
            else:
                there["panels"] = []
                placed += inside
                top = below
    return placed, top + height


def _link(site: Site, language: str) -> Json:
    return {
        "type": "dashboards",
        "title": "守护" if language == "zh" else "Caretaker",
        "tags": ["caretaker", site.id, language],
        "asDropdown": True,
        "includeVars": False,
        "keepTime": True,
        "targetBlank": False,
        "icon": "external link",
        "tooltip": "",
        "url": "",
    }


def _plain(text: str) -> str:
    """A name without the two characters that mean something in a list of choices."""
    return text.replace(",", "，").replace(":", "：")
