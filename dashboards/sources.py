"""The two data sources of the boards: readings in InfluxDB, everything else from the API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dashboards.queries import API, INFLUX
from facility.settings import ReadingsSettings


@dataclass(frozen=True, slots=True)
class Access:
    """Where Grafana finds the API and with which token, and the token for InfluxDB. Never logged or shown."""

    api_url: str
    api_token: str
    influx_token: str

    def __repr__(self) -> str:
        return f"Access({self.api_url})"


def sources(readings: ReadingsSettings, access: Access) -> list[dict[str, Any]]:
    """The data sources as Grafana's HTTP API takes them; without InfluxDB only the one on the API."""
    found = [_api(access)]
    if readings.kind == "influxdb":
        found.insert(0, _influx(readings, access.influx_token))
    return found


def _influx(readings: ReadingsSettings, token: str) -> dict[str, Any]:
    # InfluxQL with Basic: 1.x takes user:password as its token, 2.x and 3 take any user and the token as password
    user, colon, password = token.partition(":")
    return {
        "uid": INFLUX["uid"],
        "name": "Caretaker readings",
        "type": INFLUX["type"],
        "access": "proxy",
        "url": readings.url.rstrip("/"),
        "database": readings.bucket,
        "basicAuth": True,
        "basicAuthUser": user if colon else "caretaker",
        "isDefault": False,
        "jsonData": {"version": "InfluxQL", "dbName": readings.bucket, "httpMode": "GET"},
        "secureJsonData": {"basicAuthPassword": password if colon else token},
    }


def _api(access: Access) -> dict[str, Any]:
    url = access.api_url.rstrip("/")
    return {
        "uid": API["uid"],
        "name": "Caretaker API",
        "type": API["type"],
        "access": "proxy",
        "url": url,
        "basicAuth": False,
        "isDefault": False,
        "jsonData": {"auth_method": "bearerToken", "allowedHosts": [url]},
        "secureJsonData": {"bearerToken": access.api_token},
    }
