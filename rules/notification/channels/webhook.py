"""The channel `webhook`: POSTs each message as JSON to one address, over connections that stay warm."""

from __future__ import annotations

import httpx
import msgspec

from rules.notification.channels.protocol import ChannelError
from rules.notification.notify import Message

TIMEOUT = 5.0
"""Seconds for each of: connecting, sending, waiting for the answer."""
AGAIN = frozenset({408, 425, 429})
"""Answers of the 400s that mean later, not never."""
MAX_PORT = 65_535
KEPT = 200
"""Bytes of a refusal that are kept."""
LONGEST = 65_536
"""Bytes of an answer that are read; a longer one costs its connection."""


class WebhookChannel:
    """POST with `Idempotency-Key`; `Authorization: Bearer` when there is a token. Any 2xx is success.

    Other 4xx are final (the receiver will never take it); 5xx, 3xx, time-outs and broken connections are tried again.
    """

    def __init__(self, name: str, url: str, *, token: str | None = None) -> None:
        self.name = name
        self._url = url
        headers = {"Content-Type": "application/json", "User-Agent": "caretaker"}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        # trust_env off: a proxy of the shell must not see alarms meant for the address in people.yaml
        self._client = httpx.AsyncClient(
            headers=headers,
            timeout=TIMEOUT,
            trust_env=False,
            limits=httpx.Limits(max_connections=16, keepalive_expiry=300),
        )

    async def send(self, message: Message) -> None:
        """Return on 2xx; ChannelError otherwise."""
        try:
            if (httpx.URL(self._url).port or 0) > MAX_PORT:
                raise httpx.InvalidURL(f"ports end at {MAX_PORT}")  # httpx itself would only find out in the socket
            request = self._client.build_request(
                "POST", self._url, content=msgspec.json.encode(message), headers={"Idempotency-Key": message.key}
            )
            answer = await self._client.send(request, stream=True)
            try:
                text = await _beginning(answer)
            finally:
                await answer.aclose()
        except (httpx.UnsupportedProtocol, httpx.InvalidURL, UnicodeError) as error:
            raise ChannelError(self.name, f"the address is unusable: {error}", retry=False) from error
        except httpx.HTTPError as error:
            raise ChannelError(self.name, f"{type(error).__name__} {error}".strip(), retry=True) from error
        if not answer.is_success:
            final = 400 <= answer.status_code < 500 and answer.status_code not in AGAIN
            raise ChannelError(self.name, f"HTTP {answer.status_code} {text}".strip(), retry=not final)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()


async def _beginning(answer: httpx.Response) -> str:
    """The first words of an answer; a short one is read whole, so that its connection can be used again."""
    read = bytearray()
    async for part in answer.aiter_raw():
        read += part
        if len(read) > LONGEST:
            break
    return " ".join(bytes(read[:KEPT]).decode(errors="replace").split())
