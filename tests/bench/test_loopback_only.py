"""The foreign gateway reaches this machine only and starts nothing."""

from __future__ import annotations

import pytest

from bench.edge.loopback_only import refuse


@pytest.mark.parametrize(
    ("event", "arguments"),
    [
        ("socket.connect", (None, ("127.0.0.1", 1883))),
        ("socket.connect", (None, ("::1", 1883, 0, 0))),
        ("socket.connect", (None, "/tmp/socket")),
        ("socket.getaddrinfo", ("localhost", 1883, 0, 0, 0)),
        ("socket.getaddrinfo", (None, 1883, 0, 0, 0)),
        ("open", ("file", "r", 0)),
    ],
)
def test_lets_pass(event: str, arguments: tuple[object, ...]) -> None:
    refuse(event, arguments)


@pytest.mark.parametrize(
    ("event", "arguments", "error"),
    [
        ("socket.connect", (None, ("192.0.2.1", 443)), ConnectionRefusedError),
        ("socket.getaddrinfo", ("updates.example", 443, 0, 0, 0), ConnectionRefusedError),
        ("socket.getaddrinfo", (b"127.example", 443, 0, 0, 0), ConnectionRefusedError),
        ("socket.gethostbyname", ("updates.example",), ConnectionRefusedError),
        ("subprocess.Popen", ("pip", [], None, None), PermissionError),
        ("os.system", (b"rm",), PermissionError),
    ],
)
def test_refuses(event: str, arguments: tuple[object, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        refuse(event, arguments)
