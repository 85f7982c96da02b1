"""A webhook receiver on loopback that answers as the test says and remembers what it got."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import msgspec
from aiohttp import web

from tests.services.waiting import until

Answer = Callable[["Post"], int]


@dataclass(frozen=True, slots=True)
class Post:
    """One request: the decoded body and the headers that matter."""

    body: dict[str, object]
    key: str
    authorization: str
    content_type: str
    connection: object = None


@dataclass
class Hook:
    """`url` is where to post. `answer` gives the status of each post; `hold` keeps answers back while it is not set."""

    url: str = ""
    answer: Answer = lambda _post: 204
    text: str = ""
    posts: list[Post] = field(default_factory=list)
    hold: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def keys(self) -> list[str]:
        """The idempotency keys, in the order of arrival."""
        return [post.key for post in self.posts]

    async def wait_for(self, count: int, *, limit: float = 5.0) -> None:
        """Return when `count` posts have come; TimeoutError after `limit` seconds."""
        await until(lambda: len(self.posts) >= count, limit=limit)

    async def _handle(self, request: web.Request) -> web.Response:
        headers = request.headers
        body = msgspec.json.decode(await request.read(), type=dict[str, object])
        post = Post(
            body,
            headers.get("Idempotency-Key", ""),
            headers.get("Authorization", ""),
            headers.get("Content-Type", ""),
            request.transport.get_extra_info("peername") if request.transport else None,
        )
        self.posts.append(post)
        status = self.answer(post)
        await self.hold.wait()
        return web.Response(status=status, text=None if status == 204 else self.text)


@asynccontextmanager
async def a_hook() -> AsyncIterator[Hook]:
    """A receiver on a port that the system chose."""
    hook = Hook()
    hook.hold.set()
    app = web.Application()
    app.router.add_post("/push", hook._handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        hook.url = f"http://127.0.0.1:{runner.addresses[0][1]}/push"
        yield hook
    finally:
        hook.hold.set()
        await runner.cleanup()
