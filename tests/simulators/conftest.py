"""The demonstration site, loaded once, and what tests of models say again and again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from facility.catalog import Catalog, load_catalog
from facility.config import Site, load_site
from facility.points import Kind
from facility.readings import Value
from simulators.models.model import Model

DEMO = Path(__file__).parents[2] / "simulators" / "demo"
Check = Callable[[str, dict[str, Value]], None]


@pytest.fixture(scope="session")
def demo() -> tuple[Site, Catalog]:
    """The demo folder as the loader reads it."""
    return load_site(DEMO, env={})


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    """The shipped classes and profiles."""
    return load_catalog()


@pytest.fixture
def in_range(catalog: Catalog) -> Check:
    """Asserts that every value is of the type that its class says, and inside its range."""

    def check(asset_class: str, values: dict[str, Value]) -> None:
        for key, value in values.items():
            point = catalog.point(asset_class, key)
            assert point is not None, f"{asset_class} has no point {key}"
            if value is None:
                continue
            if point.kind is Kind.DISCRETE:
                assert isinstance(value, bool), key
            elif point.kind is Kind.ENUM:
                assert isinstance(value, int), key
                assert value in point.states, (key, value)
            else:
                assert isinstance(value, int | float), key
                assert not isinstance(value, bool), key
                assert point.low is None or point.low <= value, (key, value)
                assert point.high is None or value <= point.high, (key, value)

    return check


def run(model: Model, seconds: float, dt: float = 0.1) -> dict[str, Value]:
    """Step a model and give its values at the end."""
    for _ in range(round(seconds / dt)):
        model.step(dt)
    return model.values()


def until(model: Model, seen: Callable[[dict[str, Value]], bool], *, within: float, dt: float = 0.1) -> float:
    """Seconds until `seen` holds; fails when it does not within so many seconds."""
    for count in range(round(within / dt)):
        if seen(model.values()):
            return count * dt
        model.step(dt)
    raise AssertionError(f"not within {within} s")


def number(values: dict[str, Value], key: str) -> float:
    """A value as a number."""
    value = values[key]
    assert isinstance(value, int | float)
    return float(value)
