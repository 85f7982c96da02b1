"""A site with every class, and its boards."""

from __future__ import annotations

from pathlib import Path

import pytest

from dashboards.build import boards
from dashboards.panels import Json
from facility.catalog import Catalog
from facility.config import Site, load_site

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def loaded() -> tuple[Site, Catalog]:
    """The site and its catalog."""
    return load_site(HERE / "site", env={})


@pytest.fixture(scope="session")
def site(loaded: tuple[Site, Catalog]) -> Site:
    """The site."""
    return loaded[0]


@pytest.fixture(scope="session")
def catalog(loaded: tuple[Site, Catalog]) -> Catalog:
    """Its catalog."""
    return loaded[1]


@pytest.fixture(scope="session")
def all_boards(loaded: tuple[Site, Catalog]) -> dict[str, Json]:
    """Every board in both languages, by file name."""
    return boards(*loaded, ("zh", "en"))
