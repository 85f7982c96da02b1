"""A real influxd (Debian's 1.6.7) on free loopback ports, behind the v2 write proxy; and the fixture `influx`."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import tempfile
import threading
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiohttp import web

from tests.influx_proxy import make_proxy
from tests.services.ports import free_port
from tests.services.require import require

USER, PASSWORD = "caretaker", "k7-quiet-lobby"  # for a server that lives as long as a test run
_CONFIG = """
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  index-version = "tsi1"
  query-log-enabled = false
  max-series-per-database = 100000
[coordinator]
  write-timeout = "20s"
[monitor]
  store-enabled = false
[subscriber]
  enabled = false
[continuous_queries]
  enabled = false
[http]
  bind-address = "127.0.0.1:{http}"
  auth-enabled = true
  log-enabled = false
[logging]
  level = "error"
"""


class InfluxServer:
    """One influxd with its own folder. `stop` and `start` keep the data; `url` (the proxy's) stays the same."""

    token = f"{USER}:{PASSWORD}"
    bucket = "caretaker"

    def __init__(self, binary: str, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        self._http = free_port()
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.direct = f"http://127.0.0.1:{self._http}"
        self._config = folder / "influxdb.conf"
        text = _CONFIG.format(folder=folder, http=self._http, rpc=free_port())
        self._config.write_text(text, encoding="utf-8")
        self._process: subprocess.Popen[bytes] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """The server's process id; 0 when it is stopped."""
        return self._process.pid if self._process else 0

    def start(self) -> None:
        """Start the server and wait until it answers; the first time also make user, bucket and proxy."""
        with (self._folder / "influxd.log").open("ab") as log:
            command = [self._binary, "-config", str(self._config)]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)
        self._wait()
        if self._thread is None:
            self._query(f"CREATE USER {USER} WITH PASSWORD '{PASSWORD}' WITH ALL PRIVILEGES", login=False)
            self._start_proxy()
        self.query(f'CREATE DATABASE "{self.bucket}"')

    def _wait(self) -> None:
        deadline = time.monotonic() + 30
        while True:
            try:
                with urllib.request.urlopen(f"{self.direct}/ping", timeout=2):
                    return
            except OSError:
                if time.monotonic() > deadline or (self._process and self._process.poll() is not None):
                    log = (self._folder / "influxd.log").read_text("utf-8", "replace")[-2000:]
                    raise RuntimeError(f"influxd did not start:\n{log}") from None
                time.sleep(0.02)

    def _start_proxy(self) -> None:
        loop = self._loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def serve() -> None:
            runner = web.AppRunner(make_proxy(self.direct), auto_decompress=False, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", self._port).start()
            ready.set()
            try:
                await asyncio.Event().wait()
            finally:
                await runner.cleanup()

        def run() -> None:
            task = self._task = loop.create_task(serve())
            try:
                loop.run_until_complete(task)
            except asyncio.CancelledError:
                loop.close()

        self._thread = threading.Thread(target=run, name="influx proxy", daemon=True)
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("the proxy did not start")

    def stop(self, *, kill: bool = False) -> None:
        """Stop the server (SIGKILL with `kill`); the proxy then answers 503."""
        if self._process:
            (self._process.kill if kill else self._process.terminate)()
            self._process.wait(20)
            self._process = None

    def close(self) -> None:
        """Stop everything."""
        self.stop(kill=True)
        if self._thread and self._loop:
            self._loop.call_soon_threadsafe(self._task.cancel)
            self._thread.join(10)

    def query(self, text: str, *, database: str = "") -> dict[str, object]:
        """Run InfluxQL as the administrator and return the answer's JSON."""
        return self._query(text, database=database)

    def _query(self, text: str, *, database: str = "", login: bool = True) -> dict[str, object]:
        fields = {"q": text, "epoch": "ms", "db": database or self.bucket}
        request = urllib.request.Request(f"{self.direct}/query", urllib.parse.urlencode(fields).encode())
        if login:
            request.add_header("Authorization", "Basic " + base64.b64encode(self.token.encode()).decode())
        with urllib.request.urlopen(request, timeout=20) as answer:
            found: dict[str, object] = json.load(answer)
            return found

    def fresh(self, name: str) -> str:
        """An empty bucket of this name; returns the name."""
        self.query(f'DROP DATABASE "{name}"')
        self.query(f'CREATE DATABASE "{name}"')
        return name


def start_influx(binary: str, folder: Path) -> InfluxServer:
    """A running server with a user and an empty bucket; the caller closes it."""
    server = InfluxServer(binary, folder)
    try:
        server.start()
    except BaseException:
        server.close()
        raise
    return server


@pytest.fixture(scope="session")
def influx() -> Iterator[InfluxServer]:
    """One InfluxDB for the whole run; use `fresh(name)` for a bucket of your own. Leave it started."""
    binary = require("influxd", "influxdb")
    with tempfile.TemporaryDirectory(prefix="influx-") as folder:
        server = start_influx(binary, Path(folder))
        try:
            yield server
        finally:
            server.close()
