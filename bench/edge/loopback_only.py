"""Starts ThingsBoard's gateway so that it reaches this machine only and installs nothing. Run by its own Python.

On its own it asks a server of its maker for a newer version, and calls pip when it does not like a package's version.
"""

import sys
from ipaddress import ip_address
from typing import Any


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: names and addresses elsewhere can't be reached, no process is started."""
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host = arguments[1][0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        host = arguments[0]
    elif event in ("subprocess.Popen", "os.system"):
        raise PermissionError(f"{event}: no other process is wanted: {arguments[0]}")
    else:
        return
    host = host.decode() if isinstance(host, bytes) else host
    if not (host in (None, "", "localhost") or _is_loopback(host)):
        raise ConnectionRefusedError(f"{event}: {host} is not this machine")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


if __name__ == "__main__":
    sys.addaudithook(refuse)
    from thingsboard_gateway.tb_gateway import main

    main()
