"""The gateways of the ingest benchmark, in a process of their own: publish, wait for `stored`, publish on."""

from __future__ import annotations

import random
import socket
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from facility.readings import Sample, Value
from facility.wire import Batch, Stored, decode, encode, readings_topic, stored_topic

GATEWAYS = 4
POINTS = 50
SAMPLES = 5
"""Samples in one batch, one of each asset."""
WINDOW = 60
"""Batches that a gateway keeps unconfirmed."""


def ASSETS(gateway: str) -> list[str]:  # noqa: N802 - a constant by gateway
    """The assets of a gateway."""
    return [f"{gateway}-A{n}" for n in range(SAMPLES)]


def _values(dice: random.Random) -> dict[str, Value]:
    """A whole poll of an asset: three analog points, a switch and an enum, again and again."""
    values: dict[str, Value] = {}
    for n in range(POINTS):
        kind = n % 5
        values[f"p[{n}]"] = round(dice.uniform(0, 500), 1) if kind < 3 else bool(n & 1) if kind == 3 else n % 7
    return values


def send(host: str, port: int, username: str | None, password: str | None) -> None:
    """Send for ever, as fast as batches are confirmed."""
    dice = random.Random(1)
    polls = [_values(dice) for _ in range(50)]
    start = time.time_ns() // 1_000_000
    seqs = {f"gw-{n}": 0 for n in range(GATEWAYS)}
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="bench-sender", protocol=mqtt.MQTTv311)
    client.username_pw_set(username, password)
    client.max_inflight_messages_set(1000)

    def publish(gateway: str) -> None:
        seq = seqs[gateway] = seqs[gateway] + 1
        samples = [
            Sample(asset, start - 86_400_000 + seq * 100, polls[(seq + n) % len(polls)])
            for n, asset in enumerate(ASSETS(gateway))
        ]
        client.publish(readings_topic("bench", gateway), encode(Batch("boot", seq, samples)), qos=1)

    def on_message(_client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        gateway = message.topic.split("/")[3]
        for first, last in decode(Stored, message.payload).ranges:
            for _ in range(first, last + 1):
                publish(gateway)

    def on_subscribe(*_arguments: object) -> None:
        time.sleep(0.3)
        for gateway in seqs:
            for _ in range(WINDOW):
                publish(gateway)

    client.on_message = on_message
    client.on_subscribe = on_subscribe
    client.on_connect = lambda *_: client.subscribe(stored_topic("bench", "+"), qos=1)
    client.on_socket_open = lambda _client, _data, sock: sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.connect(host, port)
    client.loop_forever()
