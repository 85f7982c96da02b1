"""docs/lines.md: every example loads and means what it says; every message in its tables is one that is told."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import facility
from facility.assets import Framing, Line
from facility.config import load_site
from gateway.modbus import MEANING

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TEXT = (ROOT / "docs" / "lines.md").read_text("utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", TEXT, re.S)
ENV = {"BROKER_PASSWORD": "four words and luck"}
MEANT = [
    [Line("192.0.2.10", 502)],
    [Line("192.0.2.20", 502)] * 2,
    [Line("", 0, Framing.RTU, serial="/dev/ttyUSB0", baud=9600, parity="even")] * 2,
    [Line("192.0.2.30", 4001, Framing.RTU, baud=9600)],
    [Line("", 0, Framing.RTU, serial="/dev/ttyUSB0", baud=2400, delay=0.05, timeout=2)],
    [Line("192.0.2.40", 502, fallback=("192.0.2.41", 502))],
]


def lines_of(devices: str, folder: Path) -> list[Line]:
    """The lines of a site with this devices.yaml."""
    site = folder / "site"
    shutil.copytree(HERE / "site", site)
    (site / "devices.yaml").write_text(devices, "utf-8")
    return [device.line for device in load_site(site, env=ENV)[0].devices]


def test_there_is_a_meaning_for_every_example() -> None:
    assert len(EXAMPLES) == len(MEANT)


@pytest.mark.parametrize("number", range(len(MEANT)))
def test_an_example_means_what_it_says(number: int, tmp_path: Path) -> None:
    assert lines_of(EXAMPLES[number], tmp_path) == MEANT[number]


def test_the_example_of_the_starter_loads_when_it_is_uncommented(tmp_path: Path) -> None:
    text = (Path(facility.__file__).parent / "starter" / "devices.yaml").read_text("utf-8")
    section = text[text.index("# lines:") :].replace("# ", "", 1).replace("#   -", "  -")
    devices = "devices:\n  - {id: m, profile: eastron-sdm630, asset: PD-01, line: meters, unit: 2}\n"
    assert lines_of(section + devices, tmp_path)[0].serial == "/dev/ttyUSB0"


def test_every_message_of_the_tables_is_one_that_is_told() -> None:
    told = " ".join(
        (ROOT / name).read_text("utf-8")
        for name in ("gateway/modbus.py", "gateway/frames.py", "gateway/transport.py", "facility/mqtt_bus.py")
    )
    words = re.findall(r"^\| `([^`]+)` \|", TEXT, re.M)
    assert len(words) > 20
    for message in words:
        # the operating system's own word for it
        assert message in told or message in MEANING.values() or message == "Connection refused", message
