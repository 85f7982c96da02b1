"""Pure: a value template -> the JSON pointer of the value, for the few templates that are nothing but one.

Templates are a language of their own. What is understood: `value`, and `value_json` with `.name` and `['name']` behind
it, both with `| float` and `| int`, which change nothing here (a number is taken as it is). Everything else would have
to be guessed at and is refused.
"""

from __future__ import annotations

import re

_STEP = r"\s*(?:\.\s*[A-Za-z_]\w*|\[\s*(?:'[^'\\]*'|\"[^\"\\]*\")\s*\])"
_FORM = re.compile(
    rf"\s*\{{\{{-?\s*(?:value_json(?P<steps>(?:{_STEP})+)|value)(?:\s*\|\s*(?:float|int))*\s*-?\}}\}}\s*", re.ASCII
)
_NAME = re.compile(r"\.\s*(\w+)|\[\s*(?:'([^']*)'|\"([^\"]*)\")\s*\]", re.ASCII)
MAX_TEMPLATE = 500
"""Characters; longer ones are programs."""


class TemplateError(ValueError):
    """A template that is more than a path to a value."""


def pointer(template: str) -> str:
    """The JSON pointer (RFC 6901) that a template stands for, empty for the whole payload; TemplateError else."""
    found = _FORM.fullmatch(template) if len(template) <= MAX_TEMPLATE else None
    if found is None:
        shown = template if len(template) <= 80 else template[:77] + "..."
        raise TemplateError(f"the template {shown!r} is not understood")
    names = ["".join(groups) for groups in _NAME.findall(found["steps"] or "")]
    for name in names:
        if any(sign in name for sign in "{}[]"):
            raise TemplateError(f"the template leads to {name!r}; brackets have another meaning in a profile")
    return "".join("/" + name.replace("~", "~0").replace("/", "~1") for name in names)
