"""Fixtures for every test, and the list of services that were missing."""

from __future__ import annotations

import asyncio
from importlib.util import find_spec

import hypothesis
import pytest

from tests.services.require import MISSING

pytest_plugins = [
    name
    for name in ("tests.services.brokers", "tests.services.influx", "tests.services.postgres", "tests.services.browser")
    if find_spec(name) is not None
]


# a machine that is busy is no failure: speed is measured in bench/, never asserted
hypothesis.settings.register_profile(
    "caretaker", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("caretaker")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole systems first: they mostly wait, and want a core when they want one. Then what computes for long."""
    items.sort(
        key=lambda item: 0 if item.get_closest_marker("system") else 1 if item.get_closest_marker("timeout") else 2
    )


def pytest_configure() -> None:
    """Say that there is no event loop yet: asked for one too early, asyncio 3.11 makes one that nobody closes."""
    asyncio.set_event_loop(None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which services were missing, and the one command that brings them."""
    packages = sorted(set(MISSING.values()) | _skipped_packages(terminalreporter))
    if packages:
        terminalreporter.section("services that were not there")
        terminalreporter.write_line(f"sudo apt-get install {' '.join(packages)}   # enables the skipped tests")


def _skipped_packages(reporter: pytest.TerminalReporter) -> set[str]:
    """Packages named in skip reports; with xdist the skips happened in other processes."""
    found: set[str] = set()
    for report in reporter.stats.get("skipped", []):
        reason = str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else ""
        if "apt-get install " in reason:
            found.update(reason.partition("apt-get install ")[2].split())
    return found
