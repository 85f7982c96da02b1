"""The embedded broker: Mosquitto where it is installed, else iotcore, as a child process on loopback.

The child is watched: when it dies it comes back on the same port with the same login, and its clients reconnect. It
ends with us, also when we are killed (`setpriv --pdeathsig` where util-linux has it; a leftover of an earlier run in
the same folder is ended first). Why these two and these settings: docs/decisions/0002-embedded-broker.md.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import os
import secrets
import shutil
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal

import psutil

from facility.errors import BusError
from facility.mqtt_bus import Broker
from facility.wire import MAX_PAYLOAD

log = logging.getLogger(__name__)

Kind = Literal["mosquitto", "iotcore"]
PID_FILE = "broker.pid"
"""In the broker's folder: the child's process id."""
START_LIMIT = 10.0
"""Seconds until the child must accept connections."""
STOP_LIMIT = 2.0
"""Seconds for a clean end before it is killed."""
RESTART = (0.1, 0.5, 1.0, 2.0, 5.0)
"""Seconds before the child that died is started again; the last one repeats."""

_USER = "caretaker"
_MOSQUITTO = """\
listener {port} 127.0.0.1
allow_anonymous false
password_file {folder}/broker.passwd
set_tcp_nodelay true
persistence true
persistence_location {folder}/
persistence_file broker.db
autosave_interval 5
max_inflight_messages 100
max_queued_messages 20000
max_queued_bytes 67108864
message_size_limit {limit}
log_dest stderr
log_type error
log_type warning
connection_messages false
{user}"""
_IOTCORE = """\
id = 0
[router]
id = 0
max_connections = 1000
max_outgoing_packet_count = 200
max_segment_size = 1048576
max_segment_count = 10
[v4.1]
name = "caretaker"
listen = "127.0.0.1:{port}"
next_connection_delay_ms = 1
[v4.1.connections]
connection_timeout_ms = 5000
max_payload_size = {limit}
max_inflight_count = 100
dynamic_filters = true
[v4.1.connections.auth]
{user} = "{password}"
"""


@dataclass(frozen=True, slots=True, repr=False, eq=False)
class EmbeddedBroker(Broker):
    """Where the embedded broker is, and how to take it away for a while. Needs the running event loop."""

    child: _Child | None = None

    def away(self) -> None:
        """Kill it, and keep it away until `back`."""
        if self.child:
            self.child.away()

    def back(self) -> None:
        """Let it come back on the same port, with the same login."""
        if self.child:
            self.child.back()


@asynccontextmanager
async def embedded_broker(folder: Path, *, port: int = 0, prefer: Kind | None = None) -> AsyncIterator[EmbeddedBroker]:
    """Run a broker in `folder` on 127.0.0.1 until the block ends; yields where it is and how to log in.

    `port` 0 takes a free one. `prefer` insists on one of the two. BusError when it is not installed or does not start.
    """
    kind = prefer or ("mosquitto" if find_mosquitto() else "iotcore")
    folder = await asyncio.to_thread(_prepared, folder)
    broker = Broker("127.0.0.1", port or _free_port(), _USER, secrets.token_urlsafe(18))
    command = _mosquitto(folder, broker) if kind == "mosquitto" else _iotcore(folder, broker)
    child = _Child(folder, command, broker.port)
    await child.start()
    log.info("embedded broker: %s on 127.0.0.1:%s", kind, broker.port)
    keeper = asyncio.create_task(child.keep(), name="embedded broker")
    try:
        yield EmbeddedBroker(broker.host, broker.port, broker.username, broker.password, child=child)
    finally:
        keeper.cancel()
        with suppress(asyncio.CancelledError):
            await keeper
        await child.stop()


def find_mosquitto() -> str | None:
    """The path of Mosquitto, also where Debian keeps servers, or None."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")


class _Child:
    """The broker's process: started, kept alive, stopped."""

    def __init__(self, folder: Path, command: Sequence[str], port: int) -> None:
        self._folder = folder
        self._command = command
        self._port = port
        self._process: asyncio.subprocess.Process | None = None
        self._wanted = asyncio.Event()
        self._wanted.set()

    async def start(self) -> None:
        """Start it and wait until it accepts connections; BusError with its own last words when it does not."""
        _check_free(self._port)
        with (self._folder / "broker.log").open("wb") as errors:
            self._process = await self._spawn(errors)
        (self._folder / PID_FILE).write_text(f"{self._process.pid}\n")
        try:
            async with asyncio.timeout(START_LIMIT):
                while not await self._accepts():
                    if self._process.returncode is not None:
                        raise BusError(f"the embedded broker ended at once: {self._last_words()}")
                    await asyncio.sleep(0.02)
        except TimeoutError as error:
            await self.stop()
            raise BusError(f"the embedded broker did not listen within {START_LIMIT:.0f} s") from error

    async def keep(self) -> None:
        """Start it again whenever it ends, until cancelled."""
        attempt = 0
        while True:
            if self._process and attempt == 0:
                code = await self._process.wait()
                log.error("the embedded broker ended (%s): %s", code, self._last_words() or "no message")
            await self._wanted.wait()
            await asyncio.sleep(RESTART[min(attempt, len(RESTART) - 1)])
            try:
                await self.start()
                attempt = 0
            except (BusError, OSError) as error:
                attempt += 1
                log.error("the embedded broker does not come back: %s", error)

    def away(self) -> None:
        """Kill it, and keep it away until `back`."""
        self._wanted.clear()
        if self._process and self._process.returncode is None:
            self._process.kill()

    def back(self) -> None:
        """Let the keeper start it again."""
        self._wanted.set()

    async def stop(self) -> None:
        """End it: politely, so that it saves its state, then firmly."""
        process, self._process = self._process, None
        if process is not None and process.returncode is None:
            process.terminate()
            try:
                await asyncio.wait_for(process.wait(), STOP_LIMIT)
            except TimeoutError:
                process.kill()
                await process.wait()
        (self._folder / PID_FILE).unlink(missing_ok=True)

    async def _spawn(self, errors: IO[bytes]) -> asyncio.subprocess.Process:
        try:
            # a session of its own: Ctrl-C in the terminal is ours to handle, and clients still need the broker then
            return await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=errors,
                stderr=errors,
                cwd=self._folder,
                start_new_session=True,
            )
        except OSError as error:
            raise BusError(f"the embedded broker can't be started: {error}") from error

    async def _accepts(self) -> bool:
        try:
            _reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        return True

    def _last_words(self) -> str:
        try:
            text = (self._folder / "broker.log").read_text(errors="replace")
        except OSError:
            return ""
        return " / ".join(text.strip().splitlines()[-3:])[-500:]


def _mosquitto(folder: Path, broker: Broker) -> list[str]:
    binary = find_mosquitto()
    if binary is None:
        raise BusError("mosquitto is not installed (apt-get install mosquitto)")
    # as root Mosquitto would change to its own user, who can't read this folder
    user = "user root\n" if os.geteuid() == 0 else ""
    # above our own limit, so that an oversized payload reaches ingest and is kept there as a dead letter
    settings = _MOSQUITTO.format(port=broker.port, folder=folder, limit=4 * MAX_PAYLOAD, user=user)
    _write_secret(folder / "broker.passwd", f"{broker.username}:{_hashed(broker.password or '')}\n")
    _write_secret(folder / "broker.conf", settings)
    return [*_with_us(), binary, "-c", str(folder / "broker.conf")]


def _iotcore(folder: Path, broker: Broker) -> list[str]:
    settings = _IOTCORE.format(
        port=broker.port, limit=MAX_PAYLOAD + 1024, user=broker.username, password=broker.password
    )
    _write_secret(folder / "broker.toml", settings)
    command = [sys.executable, "-m", "iotcore", "--log-level", "CRITICAL", "--config", str(folder / "broker.toml")]
    return [*_with_us(), *command]


def _with_us() -> list[str]:
    """The command in front that ends a child when its parent is gone, where there is one."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--"] if setpriv else []


def _hashed(password: str) -> str:
    """A password as Mosquitto 2 keeps it: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(12)
    digest = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, 101, 64)
    return f"$7$101${base64.b64encode(salt).decode()}${base64.b64encode(digest).decode()}"


def _write_secret(path: Path, text: str) -> None:
    """A file that only its owner reads."""
    path.unlink(missing_ok=True)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _prepared(folder: Path) -> Path:
    """The folder, absolute, there, and without a broker of an earlier run."""
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    _end_leftover(folder)
    return folder


def _end_leftover(folder: Path) -> None:
    """End the broker that an earlier, killed run left in this folder; nobody else's process is touched."""
    try:
        process = psutil.Process(int((folder / PID_FILE).read_text()))
        if not any(str(folder / "broker.") in part for part in process.cmdline()):
            return
        process.terminate()
        process.wait(STOP_LIMIT)
    except psutil.TimeoutExpired:
        process.kill()
    except (OSError, ValueError, psutil.Error):
        return


def _check_free(port: int) -> None:
    """BusError when somebody else listens there: our own clients would talk to a stranger."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise BusError(f"the embedded broker can't have 127.0.0.1:{port}: {error.strerror}") from error


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
