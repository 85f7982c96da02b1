"""Every board of a site, and the folder from which Grafana provisions them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import yaml

from dashboards import alarms, equipment, overview
from dashboards.infinity import ApiReadings
from dashboards.influx import InfluxReadings
from dashboards.panels import Json
from dashboards.queries import Readings
from dashboards.sources import Access, sources
from facility.catalog import Catalog
from facility.config import Site

_ENV = Access("$CARETAKER_API_URL", "$CARETAKER_API_TOKEN", "$CARETAKER_INFLUX_TOKEN")


def readings_of(site: Site) -> Readings:
    """Where the boards of a site find its readings: InfluxDB if they are there, else our own API."""
    return InfluxReadings(site.id) if site.settings.readings.kind == "influxdb" else ApiReadings()


def boards(site: Site, catalog: Catalog, languages: Sequence[str]) -> dict[str, Json]:
    """Every board by its file name (`zh/overview.json`), in each of the languages; readings from where the site's
    settings say."""
    source = readings_of(site)
    found: dict[str, Json] = {}
    for language in languages:
        found[f"{language}/overview.json"] = overview.dashboard(site, catalog, language, source)
        found[f"{language}/alarms.json"] = alarms.dashboard(site, catalog, language, source)
        for asset_class in equipment.classes_of(site):
            found[f"{language}/{asset_class}.json"] = equipment.dashboard(site, catalog, asset_class, language, source)
    return found


def text_of(board: Json) -> str:
    """A board as a file: stable, and readable in a diff."""
    return json.dumps(board, ensure_ascii=False, indent=2) + "\n"


def write(site: Site, catalog: Catalog, languages: Sequence[str], out: Path) -> list[Path]:
    """Write `out/dashboards/<language>/*.json` and `out/provisioning/`; returns what was written.

    No secret is written: Grafana takes CARETAKER_API_URL, CARETAKER_API_TOKEN and CARETAKER_INFLUX_TOKEN from its own
    environment.
    """
    texts = {f"dashboards/{name}": text_of(board) for name, board in boards(site, catalog, languages).items()}
    texts["provisioning/datasources/caretaker.yaml"] = _datasources(site)
    texts["provisioning/dashboards/caretaker.yaml"] = _providers(site, languages)
    for name, text in texts.items():
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(text, encoding="utf-8")
    return [out / name for name in texts]


def _datasources(site: Site) -> str:
    found = sources(site.settings.readings, _ENV)
    for source in found:
        if source["basicAuth"]:
            source["basicAuthUser"] = "$CARETAKER_INFLUX_USER"
    return yaml.safe_dump({"apiVersion": 1, "datasources": found}, sort_keys=False, allow_unicode=True)


def _providers(site: Site, languages: Sequence[str]) -> str:
    providers = [
        {
            "name": f"caretaker-{language}",
            "folder": folder_title(site, language),
            "type": "file",
            "allowUiUpdates": False,
            "options": {"path": f"/var/lib/grafana/dashboards/{language}"},
        }
        for language in languages
    ]
    return yaml.safe_dump({"apiVersion": 1, "providers": providers}, sort_keys=False, allow_unicode=True)


def folder_title(site: Site, language: str) -> str:
    """The name of the folder that holds a site's boards in one language."""
    return f"守护 {site.label.zh}" if language == "zh" else f"Caretaker {site.label.en}"
