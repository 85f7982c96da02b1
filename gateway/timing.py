"""Pure: what a request costs on a line, in seconds: the ground on which the planner weighs a hole against a request.

TCP: a request costs the way there and back and the device's own thinking; a word of the answer next to nothing.

Serial line: every character takes (1 start + 8 data + parity + stop) / baud. A request has 8 characters and its answer
5 beside the data; before and after each of the two lies a silence of 3.5 characters, 1.75 ms at least above 19,200
baud (MODBUS over Serial Line V1.02, 2.5.1.1). A word is two characters. At 9,600 baud 8N1 that makes 26 ms for a
request and 2.1 ms for a word, so a hole of up to 12 words is cheaper to read than to leave out.
"""

from __future__ import annotations

from dataclasses import dataclass

from facility.assets import Line
from facility.points import Limits

THINKING = 0.005
"""Seconds that a device takes to answer, the network included; a guess that errs on the slow side."""
WORD = 0.00002
"""Seconds of a word over TCP, most of which is the device gathering it."""
CHARACTERS = 13
"""Of a read request (8) and of its answer beside the data (5)."""
SILENCE = 3.5
"""Characters between two frames."""
SHORTEST_SILENCE = 0.00175
"""Seconds; above 19,200 baud the silence shrinks no further."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds of a request without its data, and of each word (16 bits) of data."""

    request: float = THINKING
    word: float = WORD

    def read(self, size: float) -> float:
        """Seconds of a read that brings `size` bytes."""
        return self.request + size / 2 * self.word


def timing(line: Line, limits: Limits) -> Timing:
    """What a request to a device with `limits` costs on `line`; the quiet that either asks for is part of it."""
    quiet = max(line.delay, limits.delay)
    if not line.baud:
        return Timing(THINKING + quiet, WORD)
    character = _character(line)
    return Timing(THINKING + CHARACTERS * character + 2 * max(silence(line), quiet), 2 * character)


def silence(line: Line) -> float:
    """Seconds of quiet that end a frame on a serial line, and that the next must wait for; 0 without a baud rate."""
    return max(SILENCE * _character(line), SHORTEST_SILENCE) if line.baud else 0.0


def _character(line: Line) -> float:
    return (1 + 8 + (line.parity != "none") + line.stop_bits) / line.baud
