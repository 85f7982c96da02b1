"""A headless Chromium, driven over its own debugging protocol: open a page, wait for it, take its picture."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--remote-debugging-port=0",
    "--autoplay-policy=no-user-gesture-required",
)  # fmt: skip
PATIENCE = 20.0


class Page:
    """One tab."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    async def call(self, method: str, **params: object) -> dict[str, Any]:
        """One command and its answer; RuntimeError when Chromium refuses it."""
        number = next(self._numbers)
        await self._socket.send_json({"id": number, "method": method, "params": params})
        async with asyncio.timeout(PATIENCE):
            while True:
                answer = await self._socket.receive_json()
                if answer.get("id") == number:
                    break
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        result: dict[str, Any] = answer["result"]
        return result

    async def size(self, width: int, height: int, *, mobile: bool = False) -> None:
        """How large the window is, in pixels."""
        await self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=mobile
        )

    async def zone(self, name: str) -> None:
        """In which time zone the reader lives."""
        await self.call("Emulation.setTimezoneOverride", timezoneId=name)

    async def open(self, url: str) -> None:
        """Go there and wait until it is loaded."""
        await self.call("Page.navigate", url=url)
        await self.until("document.readyState === 'complete' && location.href !== 'about:blank'")

    async def until(self, expression: str) -> None:
        """Wait for a JavaScript expression to be true; TimeoutError after 20 s."""
        async with asyncio.timeout(PATIENCE):
            while not await self.value(f"Boolean({expression})"):
                await asyncio.sleep(0.1)

    async def value(self, expression: str) -> object:
        """What a JavaScript expression is."""
        answer = await self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        return answer["result"].get("value")

    async def cookie(self, url: str, name: str, value: str) -> None:
        """Send this cookie along to this address."""
        await self.call("Network.setCookie", url=url, name=name, value=value, httpOnly=True, sameSite="Strict")

    async def picture(self, file: Path) -> None:
        """Keep what the window shows as a PNG."""
        answer = await self.call("Page.captureScreenshot", format="png", optimizeForSpeed=False)
        file.write_bytes(base64.b64decode(answer["data"]))


@asynccontextmanager
async def open_page(program: str = "chromium") -> AsyncIterator[Page]:
    """Start a Chromium with a profile of its own and give its first tab; both are gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="caretaker-chromium-", ignore_cleanup_errors=True) as folder:
        process = await asyncio.create_subprocess_exec(
            program,
            *FLAGS,
            f"--user-data-dir={folder}",
            "about:blank",
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            port = await _port(Path(folder) / "DevToolsActivePort", process)
            async with aiohttp.ClientSession() as session:
                async with session.get(f"http://127.0.0.1:{port}/json/list") as answer:
                    tab = next(tab for tab in await answer.json() if tab["type"] == "page")
                async with session.ws_connect(tab["webSocketDebuggerUrl"], max_msg_size=0) as socket:
                    yield Page(socket)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            await process.wait()


async def _port(file: Path, process: asyncio.subprocess.Process) -> int:
    async with asyncio.timeout(PATIENCE):
        while not (file.exists() and file.read_text().strip()):
            if process.returncode is not None:
                raise RuntimeError(f"Chromium ended with {process.returncode}")
            await asyncio.sleep(0.05)
    return int(file.read_text().split()[0])
