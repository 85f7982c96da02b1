"""The embedded broker starts, stops, comes back on its port, and belongs to nobody else."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from facility import broker as broker_module
from facility.broker import PID_FILE, Kind, embedded_broker
from facility.errors import BusError
from facility.mqtt_bus import Broker, MqttBus
from tests.services.ports import free_port
from tests.services.require import require
from tests.services.waiting import until

FILES: dict[Kind, list[str]] = {"mosquitto": ["broker.conf", "broker.passwd"], "iotcore": ["broker.toml"]}


@pytest.fixture(params=list(FILES))
def kind(request: pytest.FixtureRequest) -> Kind:
    """Each of the two; Mosquitto only where it is installed."""
    if request.param == "mosquitto":
        require("mosquitto", "mosquitto")
    found: Kind = request.param
    return found


@asynccontextmanager
async def connected(broker: Broker, name: str = "client") -> AsyncIterator[MqttBus]:
    """A bus that has reached the broker."""
    async with MqttBus(broker, client_id=name) as bus:
        await asyncio.wait_for(bus.wait_connected(), 5)
        yield bus


async def test_it_takes_a_free_port_and_gives_it_back(kind: Kind, tmp_path: Path) -> None:
    async with embedded_broker(tmp_path, prefer=kind) as broker:
        assert broker.host == "127.0.0.1"
        pid = int((tmp_path / PID_FILE).read_text())
        listening = {item.laddr for item in psutil.Process(pid).net_connections() if item.status == "LISTEN"}
        assert listening == {("127.0.0.1", broker.port)}
    assert not psutil.pid_exists(pid)
    assert not (tmp_path / PID_FILE).exists()


async def test_only_its_owner_reads_the_login(kind: Kind, tmp_path: Path) -> None:
    async with embedded_broker(tmp_path, prefer=kind) as broker:
        assert broker.password
        secret = [tmp_path / name for name in FILES[kind]]
        assert {stat.S_IMODE(path.stat().st_mode) for path in secret} == {0o600}
        if kind == "mosquitto":
            assert not any(broker.password in path.read_text(errors="replace") for path in secret)


@pytest.mark.slow
async def test_it_starts_again_on_the_same_port(kind: Kind, tmp_path: Path) -> None:
    port = free_port()
    for _ in range(2):
        async with embedded_broker(tmp_path, port=port, prefer=kind) as broker, connected(broker) as bus:
            assert broker.port == port
            await bus.publish("here", b"1")


@pytest.mark.slow
async def test_a_broker_that_was_taken_away_stays_away_until_it_is_wanted_back(
    kind: Kind, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(broker_module, "RESTART", (0.01,))
    async with embedded_broker(tmp_path, prefer=kind) as broker, connected(broker) as bus:
        first = (tmp_path / PID_FILE).read_text()
        broker.away()
        await until(lambda: not bus.connected)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await bus.wait_connected()
        assert (tmp_path / PID_FILE).read_text() == first, "nobody has started another one"
        broker.back()
        await asyncio.wait_for(bus.wait_connected(), 10)
        await bus.publish("here", b"1")


@pytest.mark.slow
async def test_a_killed_broker_is_started_again_with_the_same_login(kind: Kind, tmp_path: Path) -> None:
    async with embedded_broker(tmp_path, prefer=kind) as broker:
        first = int((tmp_path / PID_FILE).read_text())
        os.kill(first, signal.SIGKILL)
        await until(lambda: (tmp_path / PID_FILE).read_text().strip() not in ("", str(first)))
        async with connected(broker) as bus:
            await bus.publish("here", b"1")


@pytest.mark.slow
async def test_mosquitto_keeps_retained_messages_over_a_stop(tmp_path: Path) -> None:
    require("mosquitto", "mosquitto")
    async with embedded_broker(tmp_path, prefer="mosquitto") as broker, connected(broker) as bus:
        await bus.publish("status", b"kept", retain=True)
    async with (
        embedded_broker(tmp_path, prefer="mosquitto") as broker,
        connected(broker) as bus,
        bus.subscribe("status") as messages,
    ):
        message = await asyncio.wait_for(anext(aiter(messages)), 5)
    assert message.payload == b"kept"


async def test_mosquitto_lets_an_oversized_payload_through_to_the_dead_letters(mosquitto: Broker) -> None:
    async with connected(mosquitto, "oversized") as bus, bus.subscribe("oversized") as messages:
        await bus.publish("oversized", b"x" * 300_000)
        assert len((await asyncio.wait_for(anext(aiter(messages)), 5)).payload) == 300_000


@pytest.mark.slow
async def test_a_leftover_of_a_killed_run_is_ended(kind: Kind, tmp_path: Path) -> None:
    port = free_port()
    async with embedded_broker(tmp_path, port=port, prefer=kind):
        left = psutil.Process(int((tmp_path / PID_FILE).read_text()))
        async with embedded_broker(tmp_path, prefer=kind) as broker, connected(broker):
            await until(lambda: not left.is_running() or left.status() == psutil.STATUS_ZOMBIE)


async def test_a_pid_file_that_names_somebody_else_hurts_nobody(tmp_path: Path) -> None:
    (tmp_path / PID_FILE).write_text(str(os.getpid()))
    async with embedded_broker(tmp_path, prefer="iotcore") as broker, connected(broker):
        assert psutil.pid_exists(os.getpid())


async def test_a_taken_port_is_an_error(tmp_path: Path, iotcore: Broker, kind: Kind) -> None:
    with pytest.raises(BusError, match=str(iotcore.port)):
        async with embedded_broker(tmp_path, port=iotcore.port, prefer=kind):
            raise AssertionError("never reached")


async def test_a_broker_that_ends_at_once_is_told_in_its_own_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("mosquitto", "mosquitto")
    monkeypatch.setattr(broker_module, "_MOSQUITTO", "no_such_setting {port}{folder}{limit}{user}\n")
    with pytest.raises(BusError, match=r"ended at once: .*no_such_setting"):
        async with embedded_broker(tmp_path, prefer="mosquitto"):
            raise AssertionError("never reached")


async def test_without_mosquitto_iotcore_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broker_module, "find_mosquitto", lambda: None)
    async with embedded_broker(tmp_path) as broker, connected(broker):
        assert (tmp_path / "broker.toml").exists()
    with pytest.raises(BusError, match="apt-get install mosquitto"):
        async with embedded_broker(tmp_path, prefer="mosquitto"):
            raise AssertionError("never reached")
