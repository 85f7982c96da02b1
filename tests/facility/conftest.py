"""The shipped catalog, loaded once."""

from __future__ import annotations

import pytest

from facility.catalog import Catalog, load_catalog


@pytest.fixture(scope="package")
def catalog() -> Catalog:
    """The shipped catalog."""
    return load_catalog()
