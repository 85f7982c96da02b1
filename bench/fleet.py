"""A fleet of simulated meters, `caretaker simulate --fleet 500x20`, polled at 1 Hz by a real gateway.

`fleet`: what the process of the simulators needs: `core_share` of one core, `cpu_us` per point read, `rate` points/s,
`late_ms` the latest poll. `fleet_idle.core_share`: the same while nobody polls. `fleet_plant`: the same polls answered
by the bare register server of the edge benchmark, which simulates nothing.
"""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import uvloop

from bench.edge import _requests, _store
from bench.modbus_plant import plant
from facility.bus import MemoryBus
from facility.clock import SystemClock
from facility.config import Site, load_site
from gateway.file_spool import FileSpool
from gateway.poller import ModbusPoller
from gateway.service import Gateway

DEVICES, POINTS = 500, 20
SECONDS = 10.0
ROOT = Path(__file__).parents[1]
