"""Open the readings store that a site's settings name."""

from __future__ import annotations

from facility.catalog import Catalog
from facility.config import Site
from facility.settings import ReadingsSettings
from ingest.duckdb_store import DuckDBStore
from ingest.influx_store import InfluxStore
from ingest.store import ReadingStore


async def open_store(settings: ReadingsSettings, *, site: Site, catalog: Catalog) -> ReadingStore:
    """The store, ready to use. StoreError when a file is locked or not ours; an InfluxDB may be down and come later."""
    if settings.kind == "influxdb":
        return InfluxStore(settings, site=site.id, assets=site.assets, catalog=catalog)
    return await DuckDBStore.open(site.path(settings.path), catalog=catalog)
