"""The configuration of ThingsBoard's gateway: limits and statistics off, the store memory, one value a tag."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from facility.mqtt_bus import Broker


class Demand(NamedTuple):
    """So many values of each device every `period` seconds, some of them dead. `line`: units behind one connection.

    `windows`: how many times as long as the others it is watched.
    """

    devices: int
    period: float
    values: int = 100
    dead: int = 0
    line: bool = False
    windows: int = 1


def settings(broker: Broker, ports: Sequence[int], demand: Demand) -> dict[str, object]:
    """Name -> content. A line of many units has one port."""
    security = {"type": "usernamePassword", "username": broker.username, "password": broker.password, "clientId": "tb"}
    limits = ("rateLimits", "dpRateLimits", "messagesRateLimits")
    thingsboard: dict[str, object] = {
        "host": broker.host,
        "port": broker.port,
        "remoteShell": False,
        "remoteConfiguration": False,
        "statistics": {"enable": False},
        "minPackSendDelayMS": 50,
        "minPackSizeToSend": 500,
        "maxPayloadSizeBytes": 8196,
        "security": security,
        "qos": 1,
        "reportStrategy": {"type": "ON_RECEIVED"},
        **dict.fromkeys([*limits, "deviceMessagesRateLimits", "deviceRateLimits", "deviceDpRateLimits"], "0:0,"),
    }
    gateway = {
        "thingsboard": thingsboard,
        "storage": {"type": "memory", "read_records_count": 100, "max_records_count": 100_000},
        "grpc": {"enabled": False},
        "connectors": [{"name": "plant", "type": "modbus", "configuration": "modbus.json"}],
    }
    logs = {"version": 1, "disable_existing_loggers": False, "root": {"level": "ERROR", "handlers": []}}
    places = [(ports[0], n + 1) for n in range(demand.devices)] if demand.line else [(port, 1) for port in ports]
    slaves = [_slave(number, port, unit, demand) for number, (port, unit) in enumerate(places)]
    modbus = {"name": "plant", "logLevel": "ERROR", "master": {"slaves": slaves}}
    return {"tb_gateway.json": gateway, "modbus.json": modbus, "logs.json": logs}


def _slave(number: int, port: int, unit: int, demand: Demand) -> dict[str, object]:
    tags = [
        {"tag": f"p{n}", "type": "16uint", "functionCode": 3, "objectsCount": 1, "address": n, "divider": 10}
        for n in range(demand.values)
    ]
    return {
        "host": "127.0.0.1",
        "port": port,
        "type": "tcp",
        "method": "socket",
        "unitId": unit,
        "deviceName": f"d{number}",
        "deviceType": "default",
        "timeout": 1,
        "byteOrder": "BIG",
        "wordOrder": "BIG",
        "retries": 0,
        "pollPeriod": int(demand.period * 1000),
        "connectAttemptTimeMs": 500,
        "connectAttemptCount": 5,
        "waitAfterFailedAttemptsMs": 30_000,
        "attributes": [],
        "timeseries": tags,
        "attributeUpdates": [],
        "rpc": [],
    }
