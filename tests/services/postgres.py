"""A PostgreSQL cluster of our own for the whole test session, on a free loopback port; a database for each test."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.services.ports import free_port
from tests.services.require import require

PACKAGE = "postgresql"


class Cluster:
    """A running server. `url()` makes a database and gives its address; `stop`/`start` for tests of an outage."""

    def __init__(self, folder: Path, binaries: Path) -> None:
        self._folder = folder
        self._binaries = binaries
        self.port = free_port()

    def create(self) -> None:
        """initdb, without waiting for the disk: tests lose nothing by a power cut."""
        self._run(str(self._binaries / "initdb"), "-D", str(self._folder), "-A", "trust", "-U", "postgres", "-N")
        settings = f"listen_addresses = '127.0.0.1'\nport = {self.port}\nunix_socket_directories = ''\nfsync = off\n"
        with (self._folder / "postgresql.conf").open("a") as file:
            file.write(settings)

    def start(self) -> None:
        """Start and wait until it answers."""
        self._run(self._control, "-D", str(self._folder), "-w", "-t", "30", "-l", str(self._folder / "log"), "start")

    def stop(self) -> None:
        """Stop at once, breaking every connection."""
        self._run(self._control, "-D", str(self._folder), "-m", "immediate", "-w", "stop")

    def url(self) -> str:
        """The address of a fresh, empty database."""
        name = f"test_{secrets.token_hex(6)}"
        login = ("-h", "127.0.0.1", "-p", str(self.port), "-U", "postgres")
        self._run(str(self._binaries / "createdb"), *login, name)
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    @property
    def _control(self) -> str:
        return str(self._binaries / "pg_ctl")

    def _run(self, *command: str) -> None:
        # the server refuses to run as root; and it keeps our pipes open, so its words go to a file
        prefix = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups") if os.geteuid() == 0 else ()
        with tempfile.TemporaryFile() as output:
            done = subprocess.run(
                [*prefix, *command], check=False, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
            output.seek(0)
            if done.returncode:
                raise RuntimeError(f"{command[0]} failed: {output.read().decode(errors='replace')}")


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The cluster; skipped where PostgreSQL is not installed."""
    binaries = Path(require("initdb", PACKAGE)).resolve().parent
    folder = tmp_path_factory.mktemp("postgres")
    if os.geteuid() == 0:
        # pytest's folders are for root's eyes only, so the cluster lives beside them
        folder = Path("/tmp") / f"caretaker-postgres-{secrets.token_hex(6)}"
        folder.mkdir(mode=0o700)
        shutil.chown(folder, "postgres", "postgres")
    cluster = Cluster(folder, binaries)
    try:
        cluster.create()
        cluster.start()
        yield cluster
        cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
