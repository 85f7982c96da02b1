"""One Mosquitto and one iotcore for the whole test session, each on a free loopback port, each with its own login.

They live on an event loop of their own in a thread, so that any test, sync or async, may ask for them.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path

import pytest

from facility.broker import Kind, embedded_broker
from facility.mqtt_bus import Broker
from tests.services.require import require


@pytest.fixture(scope="session")
def mosquitto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """Debian's Mosquitto. Shared: use topics of your own, and don't stop it."""
    require("mosquitto", "mosquitto")
    with _running(tmp_path_factory.mktemp("mosquitto"), "mosquitto") as broker:
        yield broker


@pytest.fixture(scope="session")
def iotcore(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """iotcore, the broker that comes with the package. Shared: use topics of your own, and don't stop it."""
    with _running(tmp_path_factory.mktemp("iotcore"), "iotcore") as broker:
        yield broker


@contextmanager
def _running(folder: Path, kind: Kind) -> Iterator[Broker]:
    ready: Future[tuple[Broker, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        done = asyncio.Event()
        try:
            async with embedded_broker(folder, prefer=kind) as broker:
                ready.set_result((broker, asyncio.get_running_loop(), done))
                await done.wait()
        except BaseException as error:
            if ready.done():
                raise
            ready.set_exception(error)

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name=kind)
    thread.start()
    broker, loop, done = ready.result(timeout=20)
    try:
        yield broker
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join(10)
