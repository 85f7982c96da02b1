"""How many readings a second the rules take: 2,000 points of 100 assets, 5 rules a point, one of them over a window.

`rules.*` is the whole way of a reading (frame, window, expressions, conditions), ticks included; `rules_quiet.*` the
same when one value in ten is reported, as report by exception sends them; `rules_eval.*` the expressions alone. Each is
the best of three runs, for neighbours on the machine only ever make it slower.
"""

from __future__ import annotations

import time
from random import Random

from facility.assets import Asset
from facility.catalog import Catalog, load_catalog
from facility.points import Kind, Label
from facility.readings import Quality, Sample
from rules.compiled import CompiledRule, Rulebook
from rules.engine import Engine
from rules.language.expression import compile_expression
from rules.language.frame import Frame
from rules.rule import Raises, Rule, Severity

ASSETS = 100
POINTS = 20
SECONDS = 40
RUNS = 3
LABEL = Label("规则", "rule")
CLASS = "power"


def run() -> dict[str, float]:
    """rate per second, and CPU microseconds, of readings and of evaluations."""
    catalog = load_catalog()
    keys = [point.key for point in catalog.classes[CLASS].points.values() if point.kind is Kind.ANALOG][:POINTS]
    rules = tuple(rule for key in keys for rule in _rules(key, catalog))
    figures: dict[str, float] = {}
    for name, share in (("rules", 1.0), ("rules_quiet", 0.1)):
        runs = [_engine(name, catalog, keys, rules, share=share) for _ in range(RUNS)]
        figures |= min(runs, key=lambda run: run[f"{name}.cpu_us"])
    return figures | _evaluations(catalog, keys, rules)


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


def _engine(
    name: str, catalog: Catalog, keys: list[str], rules: tuple[CompiledRule, ...], *, share: float
) -> dict[str, float]:
    assets = {f"PM-{number}": Asset(f"PM-{number}", CLASS, LABEL) for number in range(ASSETS)}
    engine = Engine(Rulebook(dict.fromkeys(assets, rules)), assets, catalog)
    random = Random(1)
    ticks = [
        [
            Sample(asset, 1000 * (second + 1), {key: random.uniform(0, 100) for key in keys if random.random() < share})
            for asset in assets
        ]
        for second in range(SECONDS)
    ]
    readings = sum(len(sample.values) for samples in ticks for sample in samples)
    judgements = 0
    began, cpu = time.perf_counter(), time.process_time()
    for number, samples in enumerate(ticks):
        for sample in samples:
            judgements += len(engine.on_sample(sample))
        judgements += len(engine.on_tick(1000 * (number + 1)))
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    return {
        f"{name}.rate": readings / seconds,
        f"{name}.cpu_us": used / readings * 1e6,
        f"{name}.judgements": judgements,
    }


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
