"""The DuckDB file's tables: opening, sealing, and how rows are found in them.

Rows arrive in `live`. Every so often they are sealed: moved to `sealed` in the order of series and time, so that a
series' history lies together and a query reads little. A newer row of the same series and instant comes later in both
(`live` after `sealed`), and wins.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import duckdb

from facility.errors import StoreError

VERSION = 1

_ROWS = "(sid INTEGER, ms BIGINT, num DOUBLE, txt VARCHAR, q UTINYINT, late BOOLEAN)"
_SCHEMA = f"""
CREATE TABLE IF NOT EXISTS meta (version INTEGER);
CREATE TABLE IF NOT EXISTS series (sid INTEGER, asset VARCHAR, class VARCHAR, point VARCHAR);
CREATE TABLE IF NOT EXISTS batches (gateway VARCHAR, boot VARCHAR, first BIGINT, last BIGINT, ms BIGINT);
CREATE TABLE IF NOT EXISTS alarms (ms BIGINT, id VARCHAR, version BIGINT, notice VARCHAR);
CREATE TABLE IF NOT EXISTS live {_ROWS};
CREATE TABLE IF NOT EXISTS sealed {_ROWS};
CREATE TABLE IF NOT EXISTS newest (sid INTEGER, ms BIGINT, num DOUBLE, txt VARCHAR, q UTINYINT);
"""

ALL_ROWS = (
    "(SELECT sid, ms, num, txt, q, late, rowid AS o FROM sealed WHERE {where} "
    "UNION ALL SELECT sid, ms, num, txt, q, late, rowid + 4611686018427387904 AS o FROM live WHERE {where})"
)
"""Every row under a condition; `o` grows in the order of writing for one series and instant."""

CLOCK = 6
"""Code of Quality.CLOCK."""

# the newest row of each series that `live` knows; of several at one instant the last one written
_NEWEST_LIVE = f"""
SELECT sid, ms, num, txt, q FROM live WHERE rowid IN (
  SELECT max(live.rowid) FROM live
  JOIN (SELECT sid, max(ms) AS ms FROM live WHERE q <> {CLOCK} GROUP BY sid) AS top USING (sid, ms)
  WHERE q <> {CLOCK} GROUP BY sid)
"""  # noqa: S608 - constants only
NEWEST = f"""
SELECT sid, ms, num, txt, q FROM ({_NEWEST_LIVE})
UNION ALL SELECT sid, ms, num, txt, q FROM newest
WHERE NOT EXISTS (SELECT 1 FROM ({_NEWEST_LIVE}) AS fresh WHERE fresh.sid = newest.sid AND fresh.ms >= newest.ms)
"""  # noqa: S608 - constants only

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "threads": 2,
    "memory_limit": "192MB",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
}


def connect(path: Path | str) -> duckdb.DuckDBPyConnection:
    """Open or create the file and its tables. StoreError when another process has it, or it is not ours."""
    try:
        if str(path) != ":memory:":
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        connection = duckdb.connect(str(path), config=_CONFIG)
    except (duckdb.Error, OSError) as error:
        hint = "; another process has it open" if "lock" in str(error) else ""
        raise StoreError("readings", f"{path} can't be opened{hint}: {_first_line(error)}", retry=False) from error
    try:
        connection.execute(_SCHEMA)
        row = connection.execute("SELECT version FROM meta").fetchone()
        if row is None:
            connection.execute("INSERT INTO meta VALUES (?)", [VERSION])
        elif row[0] != VERSION:
            raise StoreError("readings", f"{path} is of version {row[0]}; this program knows {VERSION}", retry=False)
    except duckdb.Error as error:
        connection.close()
        raise StoreError("readings", f"{path}: {_first_line(error)}", retry=False) from error
    except StoreError:
        connection.close()
        raise
    return connection


def seal(connection: duckdb.DuckDBPyConnection, batches: Iterable[tuple[str, str, int, int, int]]) -> None:
    """Move `live` to `sealed`, keep the newest of each series, write `batches` anew; inside a transaction."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE fresh AS {NEWEST}")
    connection.execute("DELETE FROM newest")
    connection.execute("INSERT INTO newest SELECT * FROM fresh")
    connection.execute("INSERT INTO sealed SELECT sid, ms, num, txt, q, late FROM live ORDER BY sid, ms, rowid")
    connection.execute("DELETE FROM live")
    connection.execute("DELETE FROM batches")
    rows = list(batches)
    if rows:
        connection.executemany("INSERT INTO batches VALUES (?, ?, ?, ?, ?)", rows)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0]
