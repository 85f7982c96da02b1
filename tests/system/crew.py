"""A site whose roles run in processes of their own, so that each can be killed alone."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import sqlite3
import sys
from dataclasses import dataclass, field
from pathlib import Path

from facility.mqtt_bus import Broker, MqttBus
from facility.wire import Status, decode, status_topic
from tests.services.influx import InfluxServer
from tests.services.ports import free_port

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "simulators" / "demo"


def make_site(folder: Path, broker: Broker, influx: InfluxServer, push_url: str) -> Path:
    """A copy of the demo site on free ports, with this broker and InfluxDB, pushing to `push_url`."""
    shutil.copytree(DEMO, folder, dirs_exist_ok=True)
    devices = folder / "devices.yaml"
    text = devices.read_text()
    for port in sorted(set(re.findall(r"port: (\d+)", text)), reverse=True):
        text = text.replace(f"port: {port}", f"port: {free_port()}")
    devices.write_text(text)
    site = folder / "site.yaml"
    lines = site.read_text().splitlines()
    replaced = {
        "broker:": f"broker: {{host: 127.0.0.1, port: {broker.port}, username: {broker.username}, "
        f"password: '{broker.password}'}}",
        "readings:": f"readings: {{kind: influxdb, url: '{influx.url}', bucket: {influx.bucket}, "
        f"token: '{influx.token}'}}",
        "api:": "api: {host: 127.0.0.1, port: 0}",
    }
    site.write_text("\n".join(next((new for key, new in replaced.items() if x.startswith(key)), x) for x in lines))
    people = folder / "people.yaml"
    text = people.read_text().replace(
        "channels:\n", f"channels:\n  - {{id: phone, kind: webhook, url: '{push_url}'}}\n"
    )
    people.write_text(text.replace("to: [log]", "to: [log, phone]"))
    return folder


@dataclass
class Role:
    """One process of `caretaker`. Its output goes to a file, so that a failure can be read."""

    arguments: list[str]
    log: Path
    process: asyncio.subprocess.Process | None = None
    starts: int = 0

    async def start(self, *, until: str) -> None:
        """Start it and wait until it has printed `until`."""
        offset = self.log.stat().st_size if self.log.exists() else 0
        with self.log.open("ab") as out:
            self.process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "caretaker", *self.arguments,
                stdout=out, stderr=out, stdin=asyncio.subprocess.DEVNULL, cwd=ROOT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        self.starts += 1
        async with asyncio.timeout(60):
            while until not in self.text(offset):
                if self.process.returncode is not None:
                    raise AssertionError(f"{self.arguments} ended at once:\n{self.text()[-3000:]}")
                await asyncio.sleep(0.05)

    def text(self, offset: int = 0) -> str:
        """What it has printed."""
        return self.log.read_bytes()[offset:].decode(errors="replace") if self.log.exists() else ""

    async def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        """Ask it to stop; its exit code."""
        if self.process is None or self.process.returncode is not None:
            return 0
        self.process.terminate()
        try:
            return await asyncio.wait_for(self.process.wait(), 15)
        except TimeoutError:
            await self.kill()
            raise AssertionError(f"{self.arguments} did not stop:\n{self.text()[-3000:]}") from None


@dataclass
class Crew:
    """The roles of a site, each its own process."""

    folder: Path
    logs: Path
    roles: dict[str, Role] = field(default_factory=dict)

    def role(self, name: str) -> Role:
        """The process that runs one role."""
        if name not in self.roles:
            arguments = ["run", str(self.folder), "--roles", name]
            self.roles[name] = Role(arguments, self.logs / f"{name}.log")
        return self.roles[name]

    async def start(self, *names: str) -> None:
        """Start several at once."""
        await asyncio.gather(*(self.role(name).start(until="running ") for name in names))

    async def stop(self) -> None:
        """Stop whatever still runs."""
        await asyncio.gather(*(role.stop() for role in self.roles.values()), return_exceptions=True)


def spooled(folder: Path) -> dict[tuple[str, str], tuple[int, int]]:
    """(gateway, boot) -> (batches, readings) that were ever put into the spools of a site, from their ledgers."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for path in sorted((folder / "data" / "spool").glob("*.sqlite")):
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            for boot, batches, readings in database.execute("SELECT boot, batches, readings FROM ledger"):
                found[path.stem, boot] = (batches, readings)
        database.close()
    return found


async def spools_empty(site: str, gateways: int, broker: Broker) -> None:
    """Return once every gateway has said, twice in a row, that nothing waits in its spool."""
    quiet: dict[str, int] = {}
    async with (
        MqttBus(broker, client_id="proof") as bus,
        bus.subscribe(status_topic(site, "+")) as statuses,
    ):
        async for message in statuses:
            status = decode(Status, message.payload)
            empty = status.online and status.spool_batches == 0
            quiet[message.topic] = quiet.get(message.topic, 0) + 1 if empty else 0
            if len(quiet) == gateways and all(times >= 2 for times in quiet.values()):
                return
