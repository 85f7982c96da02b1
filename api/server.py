"""Serve the application inside the caller's event loop: no signal handlers, port 0 allowed, stops within 3 s."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Generator
from pathlib import Path

import uvicorn
from fastapi import FastAPI

from api.deps import deps_of_app
from facility.errors import CaretakerError

STOP_S = 2
"""How long requests in flight may finish; event streams are ended first."""


class ListenError(CaretakerError):
    """The address can't be listened on: `host`, `port`; somebody else has it, or it is not ours."""

    def __init__(self, host: str, port: int, message: str) -> None:
        self.host = host
        self.port = port
        super().__init__(f"api: can't listen on {host}:{port}: {message}; choose another api.port in site.yaml")


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the composition root owns stopping. `up` is set once it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening."""
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


async def serve(
    app: FastAPI,
    host: str = "127.0.0.1",
    port: int = 8000,
    *,
    ready: Callable[[str, int], None] | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
) -> None:
    """Serve until cancelled. `ready(host, port)` is called with the real port once requests are answered.

    Raises ListenError when the address is taken. On cancellation event streams get a last event, requests in flight
    two seconds, then everything is closed.
    """
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=STOP_S,
        limit_concurrency=None,
        h11_max_incomplete_event_size=65_536,
        ws_max_size=1_048_576,
        forwarded_allow_ips="127.0.0.1,::1",
        ssl_certfile=certificate,
        ssl_keyfile=key,
    )
    listener = _listen(host, port)
    server = _Server(config)
    real = listener.getsockname()
    task = asyncio.create_task(server.serve(sockets=[listener]), name="uvicorn")
    try:
        up = asyncio.create_task(server.up.wait(), name="uvicorn up")
        await asyncio.wait({task, up}, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if server.up.is_set() and ready:
            ready(str(real[0]), int(real[1]))
        await asyncio.shield(task)
    finally:
        await _stop(app, server, task)
        listener.close()


async def _stop(app: FastAPI, server: uvicorn.Server, task: asyncio.Task[None]) -> None:
    deps_of_app(app).live.fanout.stop()
    server.should_exit = True
    done, _ = await asyncio.wait({task}, timeout=STOP_S + 0.8)
    if not done:
        server.force_exit = True
        task.cancel()
        await asyncio.wait({task}, timeout=0.2)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ListenError(host, port, error.strerror or str(error)) from error
    listener.setblocking(False)
    return listener
