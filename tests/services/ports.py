"""Free loopback ports for servers that can't be asked for port 0."""

from __future__ import annotations

import random
import socket

LOWEST, BEYOND = 18_000, 32_000
"""Below the range from which Linux gives ports to whoever asks for port 0: nobody is given one of these by chance
between the moment when it is chosen here and the moment when it is listened on."""
_random = random.SystemRandom()


def free_port() -> int:
    """A TCP port on 127.0.0.1 that was free a moment ago."""
    while True:
        port = _random.randrange(LOWEST, BEYOND)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
