"""Why a broker can't be reached is told in words, once, and tried again."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from facility.errors import BusError
from facility.mqtt_bus import Broker, MqttBus
from tests.services.ports import free_port
from tests.services.require import require
from tests.services.waiting import until


async def problem(broker: Broker) -> str:
    """What a bus says of a broker, and says to whoever publishes."""
    async with MqttBus(broker, client_id="test") as bus:
        await until(lambda: bus.problem != "")
        assert not bus.connected
        with pytest.raises(BusError) as caught:
            await bus.publish("a", b"b")
        assert str(caught.value) == f"no connection to the MQTT broker {broker.host}:{broker.port}: {bus.problem}"
        return bus.problem


async def test_nobody_listens() -> None:
    assert await problem(Broker(port=free_port())) == "connection refused; is the broker running and the port right?"


@pytest.mark.parametrize("host", ["nobody.invalid", "two..dots"])
async def test_a_host_without_an_address(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    def unknown(name: object, *rest: object, **more: object) -> object:
        str(name).encode("idna")
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    found = await problem(Broker(host))
    assert found.startswith(f"no address for the host '{host}': ")
    assert found.endswith("; is the name right?")


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """One that nobody has signed, for another host: (certificate, key)."""
    openssl = require("openssl", "openssl")
    pem, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=broker.example"
    more = ["-addext", "subjectAltName=DNS:broker.example", "-keyout", key, "-out", pem]
    subprocess.run([openssl, *words.split(), *more], check=True, capture_output=True)
    return pem, key


@asynccontextmanager
async def tls_listener(certificate: tuple[Path, Path]) -> AsyncIterator[tuple[int, list[int]]]:
    """A port with that certificate, and a list that grows with every handshake."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*certificate)
    tries: list[int] = []
    context.sni_callback = lambda *_: tries.append(1)
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1], tries
    finally:
        server.close()
        await server.wait_closed()


# paho leaves the socket of a failed handshake to the garbage collector
leaves_a_socket = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@leaves_a_socket
async def test_a_certificate_that_nobody_signed_is_tried_again(
    certificate: tuple[Path, Path], caplog: pytest.LogCaptureFixture
) -> None:
    async with tls_listener(certificate) as (port, tries):
        with caplog.at_level(logging.WARNING, "facility.mqtt_bus"):
            async with MqttBus(Broker(port=port, tls=True), client_id="test") as bus:
                await until(lambda: len(tries) >= 3)
                assert bus.problem == (
                    "the broker's certificate is not accepted: self-signed certificate; "
                    "it must be made out to 127.0.0.1 by an authority that this machine trusts"
                )
        told = [record for record in caplog.records if "certificate" in record.getMessage()]
        assert len(told) == 1


@leaves_a_socket
async def test_a_certificate_for_another_host(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    async with tls_listener(certificate) as (port, _):
        found = await problem(Broker(port=port, tls=True))
    assert "IP address mismatch, certificate is not valid for '127.0.0.1'" in found


@leaves_a_socket
async def test_tls_where_none_is_spoken() -> None:
    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"\x20\x02\x00\x05 no TLS here")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    found = await problem(Broker(port=server.sockets[0].getsockname()[1], tls=True))
    assert found.startswith("no TLS: ")
    assert found.endswith("; does the broker speak TLS on this port?")
    server.close()
    await server.wait_closed()


@pytest.mark.service("mosquitto")
async def test_a_login_that_is_refused_and_one_that_is_not(mosquitto: Broker) -> None:
    found = await problem(replace(mosquitto, password="wrong"))
    assert found.endswith("; are the user name and password right?")
    async with MqttBus(mosquitto, client_id="test-good") as bus:
        await asyncio.wait_for(bus.wait_connected(), 5)
        assert bus.problem == ""
