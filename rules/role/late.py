"""What is told after the live readings have gone on: judged apart, so that an alarm that came and went is in the list.

The live engine passes over every reading that is older than what it has. That is right for the present and loses the
past: what a gateway kept while it was cut off, and what was stored while rules started without their store. Such spans
are noted here, and when nothing more comes of them, an engine of its own judges them from the store. What the live
engine has as active it knows better; what still stands at the end of a span is handed to it, to be cleared by it.

Until a span is judged the cursors stay before it (`floor`): rules that die meanwhile judge it when they start.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from facility.clock import Clock
from facility.readings import Sample
from rules.book.compiled import Rulebook
from rules.effects import Judgement
from rules.engine import OLD_MS, Engine
from rules.role.past import Past
from rules.role.readback import ReadBack

log = logging.getLogger(__name__)

QUIET = 5.0
"""Seconds without more of a span after which it is taken for complete."""
PATIENCE = 600.0
"""Seconds after which a span that still grows is judged as far as it goes."""
LOOK = 0.5
"""Seconds between two looks at what waits."""
AGAIN = 2.0
"""Seconds after which a store that was away is asked again."""


@dataclass(slots=True)
class _Owed:
    past: Past
    began: float
    grew: float


@dataclass
class Late:
    """Made and used by the rules role: `another` makes an engine like the `live` one that knows nothing yet.

    `take` gets the judgements; `counts` is the role's own: late_spans, late_samples, failed_spans.
    """

    live: Engine
    another: Callable[[], Engine]
    rulebook: Rulebook
    readback: ReadBack
    clock: Clock
    counts: Counter[str]
    take: Callable[[Sequence[Judgement]], None]

    def __post_init__(self) -> None:
        """Nothing is owed."""
        self._owed: dict[str, _Owed] = {}

    @property
    def floor(self) -> int | None:
        """The last instant before everything that is still to be judged; None where nothing is."""
        return min((item.past.judged for item in self._owed.values()), default=None)

    def owe(self, name: str, past: Past) -> None:
        """This is to be judged from the store; what was owed under the same name grows by it."""
        now = self.clock.monotonic()
        item = self._owed.setdefault(name, _Owed(past, now, now))
        item.past, item.grew = item.past.with_(past), now

    async def run(self) -> None:
        """Judge what is complete, until cancelled; a fault of ours in it is logged and counted, and ends nothing."""
        while True:
            await self.clock.sleep(LOOK)
            now = self.clock.monotonic()
            for name, item in list(self._owed.items()):
                if now < min(item.grew + QUIET, item.began + PATIENCE):
                    continue
                try:
                    await self._judge(name, item.past)
                except Exception:
                    self.counts["failed_spans"] += 1
                    log.exception("rules: %s is not judged", item.past)
                    del self._owed[name]

    async def _judge(self, name: str, past: Past) -> None:
        engine = await asyncio.to_thread(self.another)  # a large site's takes a second
        while not await past.read(
            self.readback, self.rulebook, warm=engine.warm, judge=lambda sample: self._on_sample(engine, sample)
        ):
            await self.clock.sleep(AGAIN)
        self._tell(engine.on_tick(past.until))
        self.live.take_over(engine.snapshot())
        self.counts["late_spans"] += 1
        log.info("rules: judged late: %s", past)
        if self._owed[name].past == past:
            del self._owed[name]

    def _on_sample(self, engine: Engine, sample: Sample) -> None:
        self.counts["late_samples"] += 1
        try:
            self._tell(engine.on_sample(sample, historical=True))
        except Exception:
            self.counts["failed_samples"] += 1
            log.exception("rules: asset %s at %d, late", sample.asset, sample.at)

    def _tell(self, judgements: Sequence[Judgement]) -> None:
        old = self.clock.ms() - OLD_MS
        self.take(
            [
                replace(item, historical=item.at < old, late=True)
                for item in judgements
                if not self.live.is_active(item.key)
            ]
        )
