"""Value templates: the few that are a path, and everything else refused."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.discovery.template import TemplateError, pointer


@pytest.mark.parametrize(
    ("template", "path"),
    [
        ("{{ value }}", ""), ("{{value|float}}", ""), ("  {{ value | int }} ", ""), ("{{- value -}}", ""),
        ("{{ value_json.a }}", "/a"), ("{{value_json.a.b_2}}", "/a/b_2"), ("{{ value_json['a b'] }}", "/a b"),
        ('{{ value_json["a"]["b"] }}', "/a/b"), ("{{ value_json['a'].b['c'] | float | int }}", "/a/b/c"),
        ("{{ value_json [ 'a' ] . b }}", "/a/b"), ("{{ value_json['a/b']['c~d'] }}", "/a~1b/c~0d"),
        ("{{ value_json['em:0'].a_voltage }}", "/em:0/a_voltage"), ("{{ value_json[''] }}", "/"),
    ],
)  # fmt: skip
def test_a_path(template: str, path: str) -> None:
    assert pointer(template) == path


@pytest.mark.parametrize(
    "template",
    [
        "", "x", "{{ x }}", "{{ value_json }}", "{{ value_json.a | round(1) }}", "{{ value_json.a * 2 }}",
        "{{ value_json.a | float(0) }}", "{{ value_json.a or 0 }}", "{% if value %}1{% endif %}", "{{ value.a }}",
        "{{ value_json[0] }}", "{{ value_json.a[0] }}", "{{ value_json.get('a') }}", "{{ value_json.1a }}",
        "{{ value }}{{ value }}", "a {{ value }}", "{{ value_json['a\\'b'] }}", "{{ value_json['{state}'] }}",
        "{{ value_json.a | default('x') }}", "{{ states('sensor.x') }}", "{{ valuejson.a }}", "{{ value_json.é }}",
        "{{ value_json" + ".a" * 400 + " }}",
    ],
)  # fmt: skip
def test_everything_else_is_refused(template: str) -> None:
    with pytest.raises(TemplateError, match="template"):
        pointer(template)


@given(st.text(alphabet="{}value_json.'[]\"| floatint\\~/", max_size=60))
def test_no_text_breaks_it(template: str) -> None:
    with suppress(TemplateError):
        assert not pointer(template) or pointer(template).startswith("/")
