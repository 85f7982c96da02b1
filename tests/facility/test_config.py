"""Strict configuration: a good folder becomes a Site; a bad one is refused whole, every mistake with file and line.

Each folder in bad/ is named for its mistake and lies over site/. Its files say themselves what must be told, by
`#! words` at the end of the line at fault; nothing else may be told.
"""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest

from facility.assets import Asset
from facility.config import load_site
from facility.errors import ConfigError
from facility.points import Label
from facility.settings import ApiSettings, Settings, weak_secrets

HERE = Path(__file__).parent
GOOD = HERE / "site"
ENV = {"BROKER_PASSWORD": "four words and luck"}


def test_a_good_folder_becomes_a_site() -> None:
    site, catalog = load_site(GOOD, env=ENV)
    assert (site.id, site.label.zh, site.label.en) == ("tower-1", "一号楼", "Tower 1")
    assert site.gateways == ("gw-1", "gw-2")
    assert site.locations["roof"].parent == "tower"
    lift = site.assets["EL-01"]
    assert (lift.asset_class, lift.rated["speed"], lift.parents) == ("elevator", 2.5, ("PD-01",))
    assert lift.ledger["serial"] == "0012"  # quoted, so it stays text
    assert [device.id for device in site.devices_of("gw-2")] == ["meter-1", "ats-1"]
    assert site.devices[0].gateway == "gw-1"  # the first one, when the file names none
    assert site.devices[3].rename == {"door[1].contact": "door[5].contact"}
    assert site.settings.broker.password == ENV["BROKER_PASSWORD"]
    assert [channel.id for channel in site.channels] == ["log", "duty"]
    assert site.routes[0].events == ["raise"]
    assert site.path("data") == GOOD.resolve() / "data"
    assert "power" in catalog.classes


def test_every_gateway_is_an_asset_and_may_be_described(tmp_path: Path) -> None:
    site, _ = load_site(GOOD, env=ENV)
    assert list(site.assets) == ["EL-01", "PD-01", "AC-01", "gw-1", "gw-2"]
    assert site.assets["gw-2"] == Asset("gw-2", "gateway", Label("网关 gw-2", "Gateway gw-2"))
    folder = tmp_path / "site"
    shutil.copytree(GOOD, folder)
    own = "  - {id: gw-2, class: gateway, labels: {zh: 机房, en: Room}, location: roof, rated: {spool_used: 50}}\n"
    (folder / "assets.yaml").write_text((GOOD / "assets.yaml").read_text() + own)
    site, _ = load_site(folder, env=ENV)
    assert list(site.assets) == ["EL-01", "PD-01", "AC-01", "gw-2", "gw-1"]
    assert (site.assets["gw-2"].label.en, site.assets["gw-2"].location) == ("Room", "roof")


def test_the_environment_of_the_process_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BROKER_PASSWORD", "from the process")
    site, _ = load_site(GOOD)
    assert site.settings.broker.password == "from the process"


def expected(folder: Path) -> Counter[tuple[str, int]]:
    """How many problems each line of a bad folder must have."""
    found: Counter[tuple[str, int]] = Counter()
    for name, line, _ in marks(folder):
        found[name, line] += 1
    return found


def marks(folder: Path) -> list[tuple[str, int, str]]:
    """(file, line, words) of every `#!` in a bad folder."""
    found = []
    for path in sorted(folder.rglob("*.yaml")):
        for number, line in enumerate(path.read_text().splitlines(), 1):
            found += [(str(path.relative_to(folder)), number, text.strip()) for text in line.split("#!")[1:]]
    return found


@pytest.mark.parametrize("folder", sorted((HERE / "bad").iterdir()), ids=lambda path: str(path.name))
def test_every_mistake_is_told_with_file_and_line(folder: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(GOOD, site)
    shutil.copytree(folder, site, dirs_exist_ok=True)
    with pytest.raises(ConfigError) as error:
        load_site(site, env=ENV)
    told = [(str(Path(item.file).relative_to(site)), item.line, str(item)) for item in error.value.problems]
    assert Counter((name, line) for name, line, _ in told) == expected(folder), str(error.value)
    for name, line, words in marks(folder):
        assert any((name, line) == item[:2] and words in item[2] for item in told), (words, told)


def test_every_folder_of_mistakes_expects_some() -> None:
    for folder in (HERE / "bad").iterdir():
        assert marks(folder), folder


def test_an_empty_folder_names_every_file_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        load_site(tmp_path / "nowhere", env={})
    assert [Path(problem.file).name for problem in error.value.problems] == [
        "assets.yaml",
        "devices.yaml",
        "site.yaml",
    ]
    assert all("No such file" in problem.message for problem in error.value.problems)


def test_problems_read_as_file_line_place_and_message(tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(GOOD, site)
    (site / "devices.yaml").write_text("devices:\n  - {id: x, profile: fw-lift-1, asset: EL-99}\n")
    with pytest.raises(ConfigError) as error:
        load_site(site, env=ENV)
    text = f"{site / 'devices.yaml'}:2: devices[0].asset: there is no asset 'EL-99' in assets.yaml"
    assert str(error.value) == text


def test_a_secret_is_never_in_a_report(tmp_path: Path) -> None:
    site = tmp_path / "site"
    shutil.copytree(GOOD, site)
    (site / "site.yaml").write_text((GOOD / "site.yaml").read_text().replace("port: 1883", "prt: 1883"))
    with pytest.raises(ConfigError) as error:
        load_site(site, env={"BROKER_PASSWORD": "123456789012"})  # a number, so that its own place is wrong too
    assert len(error.value.problems) == 1
    text = (GOOD / "site.yaml").read_text().replace('"${BROKER_PASSWORD}"', "123456789012")
    (site / "site.yaml").write_text(text)
    with pytest.raises(ConfigError, match=r"broker\.password: Input should be a valid string$"):
        load_site(site, env={})


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_needs_no_tls(host: str) -> None:
    assert ApiSettings(host=host).host == host


def test_a_public_bind_needs_tls_or_a_word() -> None:
    assert ApiSettings(host="0.0.0.0", insecure=True).insecure
    assert ApiSettings(host="192.0.2.1", tls_certificate="c.pem", tls_key="k.pem").tls_key == "k.pem"
    with pytest.raises(ValueError, match="can be reached from outside"):
        ApiSettings(host="::", tls_certificate="c.pem")


def test_the_default_settings_hold_no_secret() -> None:
    assert weak_secrets(Settings()) == []
