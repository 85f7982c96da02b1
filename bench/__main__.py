"""Run the benchmarks, print a table, write bench/out/latest.json: `python -m bench [PART ...]`."""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

PARTS = ("edge", "fleet", "ingest", "rules", "rules_start", "rules_storm", "whole")
OUT = Path(__file__).parent / "out" / "latest.json"


def machine() -> str:
    """The machine in one line: processor, cores, memory, kernel, Python."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{platform.system()} {platform.release()}, Python {platform.python_version()}"
    return f"{model}, {os.cpu_count()} cores, {memory:.0f} GiB, {system}"


def main(names: list[str]) -> int:
    """Run the named parts (all, if none); 2 for an unknown name."""
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"unknown: {', '.join(unknown)}; known: {', '.join(PARTS)}", file=sys.stderr)
        return 2
    results: dict[str, float | str] = {"machine": machine()}
    print(results["machine"])
    for name in names or PARTS:
        print(f"  {name} ...", flush=True)
        started = time.monotonic()
        run: Callable[[], dict[str, float]] = import_module(f"bench.{name}").run
        figures = run()
        results.update(figures)
        results[f"{name}.seconds"] = round(time.monotonic() - started, 1)
        for key, value in figures.items():
            print(f"    {key:<40} {value:>14,.2f}", flush=True)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(results, indent=1, sort_keys=True) + "\n")
    print(f"written to {OUT}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
