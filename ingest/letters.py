"""A letter for the dead-letter box: what could not be stored, and why. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b


@dataclass(frozen=True, slots=True)
class NewLetter:
    """A letter to be kept. `key` tells repeats: the same topic, payload and key is the same letter."""

    kind: str
    at: int
    topic: str
    reason: str
    payload: bytes
    key: str = ""

    def digest(self) -> bytes:
        """What makes it the same letter."""
        text = "\0".join((self.kind, self.topic, self.key)).encode("utf-8", "surrogatepass")
        return blake2b(text + b"\0" + self.payload, digest_size=16).digest()
