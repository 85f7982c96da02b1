"""A writer to be killed: stores batch after batch in a DuckDB file and prints each number once it is safe.

`python -m tests.ingest.writer_process FILE FIRST [FILE_SIZE_LIMIT]`; with a limit (bytes, as RLIMIT_FSIZE) the disk is
full at some point, and the error is printed instead.
"""

from __future__ import annotations

import asyncio
import itertools
import resource
import sys

from facility.errors import StoreError
from ingest.duckdb_store import DuckDBStore
from tests.ingest.building import T0, a_delivery, a_sample, catalog

SAMPLES = 20


async def main(path: str, first: int, limit: int) -> None:
    """Write until killed, or until the disk is full."""
    store = await DuckDBStore.open(path, catalog=catalog(), seal_rows=500)
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    for seq in itertools.count(first):
        samples = [
            a_sample(at=T0 + (seq * SAMPLES + n) * 1000, car__floor=float(seq % 30), car__speed=n / 7.3)
            for n in range(SAMPLES)
        ]
        try:
            await store.write([a_delivery(seq, *samples)])
        except StoreError as error:
            print(f"error {error}", flush=True)  # noqa: T201 - it speaks to the test
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            result = await store.write([a_delivery(seq, *samples)])
            print(f"again {seq} {result.readings + result.replayed}", flush=True)  # noqa: T201
            return
        print(seq, flush=True)  # noqa: T201


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0))
