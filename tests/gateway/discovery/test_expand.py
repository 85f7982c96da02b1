"""Discovery configs to entities: three topic shapes, abbreviations, bases, what is shared, what is no config."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facility.errors import DecodeError
from gateway.discovery.expand import MAX_COMPONENTS, Origin, expand
from tests.gateway.discovery.configs import BRIDGE, TASMOTA, payload


def config(**given: object) -> bytes:
    return json.dumps(given).encode()


def test_short_keys_become_long_ones_and_the_base_fills_the_topics() -> None:
    topic = "homeassistant/switch/A1B2C3_RL_1/config"
    (entity,) = expand(topic, payload(TASMOTA[topic]))
    assert (entity.component, entity.object_id, entity.name) == ("switch", "A1B2C3_RL_1", "Tea kitchen")
    assert entity.origin == Origin("A1B2C3", "Tea kitchen", "Tasmota", "Sonoff Pow R2")
    assert entity.config["state_topic"] == "tasmota_A1B2C3/tele/STATE"
    assert entity.config["availability_topic"] == "tasmota_A1B2C3/tele/LWT"
    assert entity.config["payload_not_available"] == "Offline"
    assert "~" not in entity.config


def test_a_base_at_the_end_and_inside_the_availability_list() -> None:
    listed = [{"t": "~/a", "pl_avail": "1"}]
    (entity,) = expand("homeassistant/sensor/n/o/config", config(**{"~": "x", "stat_t": "y/~", "avty": listed}))
    assert entity.config["state_topic"] == "y/x"
    assert entity.config["availability"] == [{"topic": "x/a", "payload_available": "1"}]
    (entity,) = expand("homeassistant/sensor/o/config", config(**{"~": "x", "avty": listed[0]}))
    assert entity.config["availability"] == [{"topic": "x/a", "payload_available": "1"}]


def test_components_of_a_device_share_what_it_says_and_a_bare_platform_is_a_removal() -> None:
    ((topic, told),) = BRIDGE.items()
    found = {entity.object_id: entity for entity in expand(topic, payload(told))}
    assert set(found) == {"p1", "u", "e", "reset"}
    assert {entity.origin.name for entity in found.values()} == {"Roof meter"}
    assert found["p1"].config["state_topic"] == "acme/meter-7/state"
    assert found["u"].config["availability_topic"] == "acme/meter-7/online"
    assert found["reset"].config["command_topic"] == "acme/meter-7/reset"


def test_an_empty_payload_deletes_and_a_long_key_counts_more_than_a_short_one() -> None:
    assert expand("homeassistant/sensor/o/config", b"") == []
    (entity,) = expand("p/q/sensor/o/config", config(stat_t="a", state_topic="b", name=None), "p/q")
    assert (entity.config["state_topic"], entity.name, entity.origin.key) == ("b", "o", "o")


@pytest.mark.parametrize(
    ("topic", "told", "reason"),
    [
        ("homeassistant/sensor/config", b"{}", "is no homeassistant/<component>"),
        ("homeassistant/a/b/c/d/config", b"{}", "is no homeassistant/<component>"),
        ("other/sensor/o/config", b"{}", "is no homeassistant/<component>"),
        ("homeassistant/sensor/o/config", b"online", "no JSON object"),
        ("homeassistant/sensor/o/config", b"[1]", "no JSON object"),
        ("homeassistant/sensor/o/config", b'{"a":', "broken JSON"),
        ("homeassistant/device/o/config", b"{}", "no components"),
        ("homeassistant/device/o/config", b'{"cmps":{"a":1}}', "'a' is no JSON object"),
        ("homeassistant/device/o/config", b'{"cmps":{"a":{"name":"x"}}}', "'a' has no platform"),
        (
            "homeassistant/device/o/config",
            config(cmps={str(number): {"p": "sensor"} for number in range(MAX_COMPONENTS + 1)}),
            "501 components; the limit is 500",
        ),
        ("homeassistant/sensor/o/config", b"{" + b" " * 70_000 + b"}", "the limit is 65536"),
    ],
)
def test_what_is_no_config_is_named(topic: str, told: bytes, reason: str) -> None:
    with pytest.raises(DecodeError, match=reason):
        expand(topic, told)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["p", "cmps", "dev", "ids", "avty", "t", "~", "stat_t", "name"]), inner)
    ),
    max_leaves=12,
)


@pytest.mark.slow
@given(st.dictionaries(st.sampled_from(["cmps", "dev", "avty", "~", "stat_t", "name", "avty_t"]), json_values))
def test_no_config_breaks_it(told: dict[str, object]) -> None:
    for component in ("sensor", "device"):
        with suppress(DecodeError):
            expand(f"homeassistant/{component}/o/config", json.dumps(told).encode())
