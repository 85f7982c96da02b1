"""MqttBus: the bus over a real broker by aiomqtt, MQTT 3.1.1, TCP_NODELAY, with reconnect and re-subscription."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiomqtt

from facility.bus import Message, Subscription, matches
from facility.errors import BusError

log = logging.getLogger(__name__)

RECONNECT = (0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts; the last one repeats."""
_LOGIN = frozenset({4, 5, 134, 135})
"""Codes by which a broker refuses a user name or password."""


@dataclass(frozen=True, slots=True)
class Broker:
    """Where the broker is and how to log in. `password` is never logged or shown."""

    host: str = "127.0.0.1"
    port: int = 1883
    username: str | None = None
    password: str | None = None
    tls: bool = False

    def __repr__(self) -> str:
        return f"Broker({self.host}:{self.port}, tls={self.tls})"


class MqttBus:
    """One connection. Use it as `async with MqttBus(...) as bus`; it reconnects until it is left."""

    def __init__(self, broker: Broker, *, client_id: str, will: Message | None = None) -> None:
        self._broker = broker
        self._client_id = client_id
        self._will = will
        self._client: aiomqtt.Client | None = None
        self._ready = asyncio.Event()
        self._subscriptions: list[Subscription] = []
        self._task: asyncio.Task[None] | None = None
        self.problem = ""
        """Why there is no connection, in words; empty while there is one, or before the first attempt has failed."""

    @property
    def connected(self) -> bool:
        """Whether the broker is there now."""
        return self._ready.is_set()

    async def wait_connected(self) -> None:
        """Return once the broker is there."""
        await self._ready.wait()

    async def __aenter__(self) -> MqttBus:
        """Start connecting; does not wait for the broker."""
        self._task = asyncio.create_task(self._run(), name=f"mqtt {self._client_id}")
        return self

    async def __aexit__(self, *_exc: object) -> None:
        """Disconnect cleanly (no last will)."""
        # more than once if need be: the wait_for of Python 3.11, which the client uses, may swallow a cancellation
        while self._task and not self._task.done():
            self._task.cancel()
            await asyncio.wait([self._task], timeout=1.0)

    async def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        """Publish at QoS 1; returns when the broker has it. BusError when there is no broker or it does not answer."""
        client = self._client
        if client is None or not self._ready.is_set():
            why = f": {self.problem}" if self.problem else ""
            raise BusError(f"no connection to the MQTT broker {self._broker.host}:{self._broker.port}{why}")
        try:
            await _heeding(client.publish(topic, payload, qos=1, retain=retain))
        except aiomqtt.MqttError as error:
            raise BusError(f"publish to {topic} failed: {error}") from error

    @asynccontextmanager
    async def subscribe(self, *filters: str, limit: int = 10_000) -> AsyncIterator[Subscription]:
        """Subscribe at QoS 1, now and after every reconnect."""
        subscription = Subscription(filters, limit)
        self._subscriptions.append(subscription)
        await self._subscribe(filters)
        try:
            yield subscription
        finally:
            self._subscriptions.remove(subscription)
            left = {other for held in self._subscriptions for other in held.filters}
            gone = [filter_ for filter_ in filters if filter_ not in left]
            # one by one: iotcore answers each filter apart, and the client knows one answer a request
            for filter_ in gone:
                if self._client and self._ready.is_set():
                    with suppress(aiomqtt.MqttError):
                        await _heeding(self._client.unsubscribe(filter_))

    async def _subscribe(self, filters: tuple[str, ...]) -> None:
        if self._client and self._ready.is_set() and filters:
            # a broken connection is not the caller's trouble: _run subscribes again after the reconnect
            with suppress(aiomqtt.MqttError):
                await _heeding(self._client.subscribe([(filter_, 1) for filter_ in filters]))

    def _new_client(self) -> aiomqtt.Client:
        will = (
            aiomqtt.Will(self._will.topic, self._will.payload, qos=1, retain=self._will.retain) if self._will else None
        )
        return aiomqtt.Client(
            self._broker.host,
            self._broker.port,
            username=self._broker.username,
            password=self._broker.password,
            identifier=self._client_id,
            protocol=aiomqtt.ProtocolVersion.V311,
            tls_context=ssl.create_default_context() if self._broker.tls else None,
            keepalive=15,
            timeout=5,
            will=will,
            max_concurrent_outgoing_calls=500,
            socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
        )

    async def _run(self) -> None:
        attempt = 0
        while True:
            try:
                async with self._new_client() as client:
                    self._client = client
                    await self._subscribe_held(client)
                    self._ready.set()
                    attempt, self.problem = 0, ""
                    async for message in client.messages:
                        self._dispatch(message)
            except (aiomqtt.MqttError, ValueError) as error:  # a host that can be no name is a ValueError
                self._failed(explain(error, self._broker))
            finally:
                self._ready.clear()
                self._client = None
            await asyncio.sleep(RECONNECT[min(attempt, len(RECONNECT) - 1)])
            attempt += 1

    def _failed(self, why: str) -> None:
        """Told once, not with every attempt."""
        if why != self.problem:
            log.warning("MQTT broker %s:%s: %s", self._broker.host, self._broker.port, why)
        self.problem = why

    async def _subscribe_held(self, client: aiomqtt.Client) -> None:
        # again and again: somebody may subscribe while the broker is being asked
        done: set[str] = set()
        while missing := {name for held in self._subscriptions for name in held.filters} - done:
            await client.subscribe([(filter_, 1) for filter_ in sorted(missing)])
            done |= missing

    def _dispatch(self, message: aiomqtt.Message) -> None:
        topic = str(message.topic)
        payload = message.payload if isinstance(message.payload, bytes) else str(message.payload or "").encode()
        arrived = Message(topic, payload, bool(message.retain))
        for subscription in self._subscriptions:
            if any(matches(filter_, topic) for filter_ in subscription.filters):
                subscription.offer(arrived)


def explain(error: Exception, broker: Broker) -> str:
    """Why a connection failed and what to do, in words."""
    # the client hands on the text of what the operating system said, and that itself as the context
    cause = error.__context__ if isinstance(error, aiomqtt.MqttError) and error.__context__ else error
    if isinstance(cause, socket.gaierror | UnicodeError):
        reason = getattr(cause, "strerror", None) or str(cause)
        return f"no address for the host {broker.host!r}: {reason}; is the name right?"
    if isinstance(cause, ssl.SSLCertVerificationError):
        why = f"the broker's certificate is not accepted: {cause.verify_message.rstrip('.')}"
        return f"{why}; it must be made out to {broker.host} by an authority that this machine trusts"
    if isinstance(cause, ssl.SSLError):
        return f"no TLS: {cause.reason or cause}; does the broker speak TLS on this port?"
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused; is the broker running and the port right?"
    if isinstance(error, aiomqtt.MqttCodeError) and _code(error) in _LOGIN:
        return f"{error}; are the user name and password right?"
    return str(error)


def _code(error: aiomqtt.MqttCodeError) -> int:
    return error.rc if isinstance(error.rc, int) else getattr(error.rc, "value", -1)


async def _heeding(call: Awaitable[object]) -> None:
    """Await a call of the client, and be cancelled when it was: the wait_for of Python 3.11 may swallow that.

    It does when the answer is there already. Whoever publishes in a loop could not be stopped.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    await call
    if task and task.cancelling() > before:
        raise asyncio.CancelledError
