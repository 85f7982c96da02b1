"""How many readings a second the rules take: 2,000 points of 100 assets, 5 rules a point, one of them over a window.

`rules.*` is the whole way of a reading (frame, window, expressions, conditions, and the alarm machine with journal,
tickets and notices, up to the database), ticks included, with one point in a hundred out of its limits for a while;
`rules_quiet.*` the same when one value in ten is reported, as report by exception sends them; `rules_eval.*` the
expressions alone. `rules_data.*` is the way of a reading when the shipped checks of data look at it too, of values that
wander as live ones do; `rules_live.*` the same values without the checks: the difference is what the checks cost. Each
is the best of three runs, for neighbours on the machine only ever make it slower.

`rules.series_bytes` is what one point of an asset takes, its five rules and its full window of ten minutes included.
"""

from __future__ import annotations

import time
import tracemalloc
from random import Random

from facility.assets import Asset
from facility.catalog import Catalog, load_catalog
from facility.points import Kind, Label
from facility.readings import Quality, Sample
from rules.book.compiled import CompiledRule, Rulebook
from rules.book.data.checkfile import read_checks
from rules.book.data.rules import with_checks
from rules.engine import Engine
from rules.language.expression import compile_expression
from rules.language.frame import Frame
from rules.life.rows import AlarmRow
from rules.notification.notify import Routing
from rules.records.judging import judge
from rules.records.records import new_id
from rules.records.transitions import Changes, Key
from rules.rule import Raises, Rule, Severity

ASSETS = 100
POINTS = 20
SECONDS = 40
RUNS = 3
HIGH = range(5, 20)
"""Seconds in which the points of the first asset are out of their limits."""
FULL = 600
"""Readings that fill a window."""
LABEL = Label("规则", "rule")
CLASS = "power"


def run() -> dict[str, float]:
    """rate per second, and CPU microseconds, of readings and of evaluations."""
    catalog = load_catalog()
    keys = [point.key for point in catalog.classes[CLASS].points.values() if point.kind is Kind.ANALOG][:POINTS]
    rules = tuple(rule for key in keys for rule in _rules(key, catalog))
    assets = {f"PM-{number}": Asset(f"PM-{number}", CLASS, LABEL) for number in range(ASSETS)}
    book = Rulebook(dict.fromkeys(assets, rules))
    checks, _ = read_checks([], catalog, assets=assets)
    checked = with_checks(book, checks, assets, dict.fromkeys(assets, frozenset(keys)), catalog)
    cases = {
        "rules": (book, _anywhere(keys, 1.0)),
        "rules_quiet": (book, _anywhere(keys, 0.1)),
        "rules_live": (book, _wandering(keys)),
        "rules_data": (checked, _wandering(keys)),
    }
    figures: dict[str, float] = {}
    for name, (rulebook, ticks) in cases.items():
        runs = [_engine(name, Engine(rulebook, assets, catalog), ticks) for _ in range(RUNS)]
        figures |= min(runs, key=lambda run: run[f"{name}.cpu_us"])
    return figures | _evaluations(catalog, keys, rules) | {"rules.series_bytes": _memory(catalog, keys, rules)}


def _anywhere(keys: list[str], share: float) -> list[list[Sample]]:
    """A sample of each asset every second, its values anywhere in 0 .. 100; `share` of them are told."""
    random = Random(1)
    return [
        [
            Sample(
                f"PM-{number}",
                1000 * (second + 1),
                {key: _value(number, second, random) for key in keys if random.random() < share},
            )
            for number in range(ASSETS)
        ]
        for second in range(SECONDS)
    ]


def _value(number: int, second: int, random: Random) -> float:
    return 99.0 if number == 0 and second in HIGH else random.uniform(0, 100)


def _wandering(keys: list[str]) -> list[list[Sample]]:
    """The same, but each value wanders by up to 0.1 a second, which is noise to no check."""
    random = Random(1)
    now = {f"PM-{number}": {key: random.uniform(20, 80) for key in keys} for number in range(ASSETS)}
    ticks = []
    for second in range(SECONDS):
        for values in now.values():
            values.update({key: value + random.uniform(-0.1, 0.1) for key, value in values.items()})
        ticks.append([Sample(asset, 1000 * (second + 1), dict(values)) for asset, values in now.items()])
    return ticks


def _rules(key: str, catalog: Catalog) -> list[CompiledRule]:
    texts = [
        (f"{key} > 95", f"{key} < 90"),
        (f"{key} < 5", f"{key} > 10"),
        (f"avg({key}, '10m') > 80", ""),
        (f"{key} > 70 and {key} < 71 or {key} > 99", ""),
        (f"abs({key} - 50) > 48", ""),
    ]
    found = []
    for number, (when, clear) in enumerate(texts):
        rule = Rule(
            f"{key}.{number}", CLASS, LABEL, LABEL, Severity.MAINTENANCE, Raises.TICKET, when, clear, delay=10.0
        )
        compiled = [compile_expression(text, catalog.classes[CLASS]) for text in (when, clear) if text]
        found.append(CompiledRule(rule, compiled[0], compiled[1] if clear else None))
    return found


def _engine(name: str, engine: Engine, ticks: list[list[Sample]]) -> dict[str, float]:
    readings = sum(len(sample.values) for samples in ticks for sample in samples)
    judgements, live, routing = 0, dict[Key, AlarmRow](), Routing("bench")
    began, cpu = time.perf_counter(), time.process_time()
    for number, samples in enumerate(ticks):
        found = [judgement for sample in samples for judgement in engine.on_sample(sample)]
        found += engine.on_tick(1000 * (number + 1))
        changes = Changes(routing, 1000 * (number + 1), new_id)
        for judgement in found:
            judge(changes, live, judgement)
        judgements += len(found)
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    return {
        f"{name}.rate": readings / seconds,
        f"{name}.cpu_us": used / readings * 1e6,
        f"{name}.judgements": judgements,
    }


def _memory(catalog: Catalog, keys: list[str], rules: tuple[CompiledRule, ...]) -> float:
    assets = {"PM-0": Asset("PM-0", CLASS, LABEL)}
    random = Random(3)
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    engine = Engine(Rulebook(dict.fromkeys(assets, rules)), assets, catalog)
    for second in range(FULL):
        engine.on_sample(Sample("PM-0", 1000 * (second + 1), {key: random.uniform(0, 100) for key in keys}))
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return (after - before) / len(keys)


def _evaluations(catalog: Catalog, keys: list[str], rules: tuple[CompiledRule, ...]) -> dict[str, float]:
    frame = Frame(catalog.classes[CLASS].points, {})
    reads = [rule.when.bind(frame) for rule in rules if not rule.is_timed]
    random = Random(2)
    for key in keys:
        frame.slot(key).take(1, random.uniform(0, 100), Quality.GOOD)
    rounds = 10_000
    began = time.perf_counter()
    for _ in range(rounds):
        for read in reads:
            read()
    seconds = time.perf_counter() - began
    return {"rules_eval.rate": rounds * len(reads) / seconds}
