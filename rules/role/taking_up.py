"""What a start of the rules owes to what was tried before: every text that runs is kept, and shadow alarms go on."""

from __future__ import annotations

from rules.book.compiled import Rulebook
from rules.judges import Judges
from rules.records.records import Records
from rules.records.rule_texts import note_versions
from rules.records.shadow import end_shadows, open_shadows


async def take_up_trials(records: Records, site: str, rulebook: Rulebook, judges: Judges, at: int) -> None:
    """Note the versions of all rules, and give the engine the shadow alarms that stand. Idempotent; StoreError."""
    await note_versions(records, site, rulebook.written, at, beside=(*rulebook.checks, *judges.rules))
    async with records.writing() as connection:
        gone = judges.engine.restore(await open_shadows(connection, site))
        await end_shadows(connection, site, gone, at)
