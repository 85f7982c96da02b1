"""Rule tests as JUnit XML, which every CI server reads."""

from __future__ import annotations

import re
from collections.abc import Iterable
from xml.etree import ElementTree

from rules.trial.verdict import Outcome, Verdict

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(verdicts: Iterable[Verdict], language: str) -> bytes:
    """One suite a file, one case a test; the texts of failures in `language`."""
    suites: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        suites.setdefault(verdict.story.file, []).append(verdict)
    root = ElementTree.Element("testsuites", _counts([item for items in suites.values() for item in items]))
    root.set("name", "caretaker rules")
    for file, items in suites.items():
        suite = ElementTree.SubElement(root, "testsuite", {"name": _clean(file), **_counts(items)})
        for item in items:
            _case(suite, item, language)
    text = ElementTree.tostring(root, encoding="unicode")
    return b'<?xml version="1.0" encoding="utf-8"?>\n' + text.encode()


def _case(suite: ElementTree.Element, verdict: Verdict, language: str) -> None:
    story = verdict.story
    asset_class = story.assets[story.asset].asset_class
    case = ElementTree.SubElement(
        suite,
        "testcase",
        {
            "classname": f"rules.{asset_class}",
            "name": _clean(story.name),
            "file": _clean(story.file),
            "line": str(story.line),
            "time": f"{verdict.seconds:.3f}",
        },
    )
    if verdict.outcome is Outcome.PASSED:
        return
    lines = [_clean(label.to(language)) for label in verdict.lines]
    kind = "failure" if verdict.outcome is Outcome.FAILED else "skipped"
    found = ElementTree.SubElement(case, kind, {"message": lines[0].strip() if lines else ""})
    found.text = "\n".join(lines)


def _counts(verdicts: list[Verdict]) -> dict[str, str]:
    outcomes = [item.outcome for item in verdicts]
    return {
        "tests": str(len(verdicts)),
        "failures": str(outcomes.count(Outcome.FAILED)),
        "errors": "0",
        "skipped": str(outcomes.count(Outcome.CHANGED)),
        "time": f"{sum(item.seconds for item in verdicts):.3f}",
    }


def _clean(text: str) -> str:
    """Without the characters that XML can't hold."""
    return _NOT_XML.sub("?", text)
