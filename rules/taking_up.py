"""What a start of the rules owes to what was tried before: every text that runs is kept, and shadow alarms go on."""

from __future__ import annotations

from rules.compiled import Rulebook
from rules.engine import Engine
from rules.records import Records
from rules.rule_texts import note_versions
from rules.shadow import end_shadows, open_shadows


async def take_up_trials(records: Records, site: str, rulebook: Rulebook, engine: Engine, at: int) -> None:
    """Note the versions of all rules, and give the engine the shadow alarms that stand. Idempotent; StoreError."""
    await note_versions(records, site, rulebook.rules, at)
    async with records.writing() as connection:
        gone = engine.restore(await open_shadows(connection, site))
        await end_shadows(connection, site, gone, at)
