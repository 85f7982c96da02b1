"""Routes: the runs of the fire linkage, effect by effect; notes, exports, and the proof that nothing was changed."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from api.auth import Action, User
from api.deps import Deps, DepsOf, Reader, may
from api.linkage_sheet import as_csv, as_html
from api.problems import refused
from api.schemas import Rows, Shape, refusals
from facility.clock import from_ms
from rules.life.rows import NotFoundError
from rules.linkage.ledger import Link
from rules.linkage.run import EffectRecord, Run
from rules.linkage.verdicts import Verdict
from rules.records import linkage_runs

router = APIRouter(tags=["linkage"])
Noter = Annotated[User, Depends(may(Action.LINKAGE_NOTE))]


class RunRow(Shape):
    """A run. `end`: reset or settled, empty while it is judged. The numbers count its effects by verdict."""

    id: str
    panel: str
    zone: int
    zone_zh: str
    zone_en: str
    mode: Literal["real", "drill", "test"]
    cause: str
    t0: datetime
    ended_at: datetime | None
    end: str
    confirmed: int
    late: int
    weak: int
    failed: int
    unknown: int
    pending: int
    not_applicable: int


class EffectRow(Shape):
    """One effect. `seconds` from T0 to its feedback, `limit_s` what it may take (null: it has to stand all the time).

    `evidence` is what was seen, as text: asset, condition, when it held, and the readings with quality and instant.
    """

    effect: int
    id: str
    zh: str
    en: str
    verdict: str
    limit_s: float | None
    t_command: datetime | None
    t_feedback: datetime | None
    seconds: float | None
    basis: str
    action_zh: str
    action_en: str
    reason_zh: str
    reason_en: str
    evidence: str


class NoteRow(Shape):
    """What somebody said about a run. `hash` is its link in the chain."""

    at: datetime
    author: str
    text: str
    hash: str


class Note(Shape):
    """What there is to say."""

    text: str = Field(
        min_length=1, max_length=linkage_runs.MAX_NOTE, pattern=r"\S", examples=["Lift 2 recalled by hand"]
    )


class Chain(Shape):
    """Whether the chain of records is as it was written. `broken`: the number of its first wrong link, from 1."""

    links: int
    whole: bool
    broken: int | None
    newest: str


@router.get("/linkage/runs", summary="Linkage runs, newest first", responses=refusals())
async def runs(
    deps: DepsOf,
    _: Reader,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, Query(max_length=64, description="`next` of the page before")] = None,
) -> Rows[RunRow]:
    """Every confirmed fire, drill and test, with how many effects came, came late or did not come."""
    found = await linkage_runs.runs(deps.records, deps.site.id, limit=limit + 1, after=cursor)
    page = found[:limit]
    return Rows(items=[run_row(run) for run in page], next=page[-1].id if len(found) > limit else None)


@router.get("/linkage/verify", summary="Is the chain of records whole", responses=refusals())
async def verify(deps: DepsOf, _: Reader) -> Chain:
    """Recompute every link. Whoever keeps `newest` elsewhere can prove later that nothing before it was changed."""
    links = await linkage_runs.links(deps.records, deps.site.id)
    number, wrong = await linkage_runs.verify(deps.records, deps.site.id)
    newest = links[-1].hash if links else ""
    return Chain(links=number, whole=wrong is None, broken=None if wrong is None else wrong + 1, newest=newest)


@router.get("/linkage/runs/{run}", summary="One run", responses=refusals(404))
async def one_run(deps: DepsOf, _: Reader, run: str) -> RunRow:
    """One run at a glance."""
    return run_row(await the_run(deps, run))


@router.get("/linkage/runs/{run}/effects", summary="What became of each effect", responses=refusals(404))
async def effects(deps: DepsOf, _: Reader, run: str) -> Rows[EffectRow]:
    """Every effect of a run with its verdict and its evidence."""
    found = await the_run(deps, run)
    return Rows(items=[effect_row(found, effect) for effect in found.effects])


@router.get("/linkage/runs/{run}/notes", summary="What was said about a run", responses=refusals(404))
async def notes(deps: DepsOf, _: Reader, run: str) -> Rows[NoteRow]:
    """Every note, oldest first."""
    await the_run(deps, run)
    return Rows(items=[_note(link) for link in await notes_of(deps, run)])


@router.post("/linkage/runs/{run}/notes", summary="Say something about a run", responses=refusals(404))
async def add_note(deps: DepsOf, user: Noter, run: str, body: Note) -> Rows[NoteRow]:
    """Notes can only be added: nobody changes one, and nobody takes one away."""
    await write_note(deps, user, run, body.text)
    return Rows(items=[_note(link) for link in await notes_of(deps, run)])


@router.get(
    "/linkage/runs/{run}/export.csv", summary="A run as a table", response_class=Response, responses=refusals(404)
)
async def export_csv(
    deps: DepsOf, _: Reader, run: str, language: Annotated[Literal["zh", "en"], Query()] = "zh"
) -> Response:
    """One line an effect; for spreadsheets, with a mark that says that it is UTF-8."""
    found = await the_run(deps, run)
    text = as_csv(found, await notes_of(deps, run), deps.site, language)
    name = {"content-disposition": f'attachment; filename="{found.id}.csv"'}
    return Response(text.encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=name)


@router.get(
    "/linkage/runs/{run}/export.html", summary="A run to print", response_class=Response, responses=refusals(404)
)
async def export_html(
    deps: DepsOf, _: Reader, run: str, language: Annotated[Literal["zh", "en"], Query()] = "zh"
) -> Response:
    """A page of its own, without scripts, for the printer and the file."""
    found = await the_run(deps, run)
    links = await linkage_runs.links(deps.records, deps.site.id, found.id)
    return Response(as_html(found, links, deps.site, language), media_type="text/html; charset=utf-8")


async def the_run(deps: Deps, run: str) -> Run:
    """A run of this site; NotFoundError."""
    found = await linkage_runs.run_of(deps.records, deps.site.id, run[:64])
    if found is None:
        raise NotFoundError("run", run)
    return found


async def notes_of(deps: Deps, run: str) -> list[Link]:
    """The notes of a run, oldest first."""
    return [link for link in await linkage_runs.links(deps.records, deps.site.id, run) if link.kind == "note"]


async def write_note(deps: Deps, user: User, run: str, text: str) -> None:
    """Append a note; NotFoundError, ApiError 422 for an empty or overlong one."""
    found = await the_run(deps, run)
    with refused():
        await linkage_runs.add_note(
            deps.records, deps.site.id, found.id, text=text, author=user.name, at=deps.clock.ms()
        )


def run_row(run: Run) -> RunRow:
    """A run as a flat row."""
    counted = {verdict.value: sum(effect.verdict is verdict for effect in run.effects) for verdict in Verdict}
    return RunRow.model_validate(
        {
            "id": run.id,
            "panel": run.panel,
            "zone": run.zone,
            "zone_zh": run.zone_label.zh,
            "zone_en": run.zone_label.en,
            "mode": run.mode,
            "cause": run.cause,
            "t0": from_ms(run.t0),
            "ended_at": None if run.ended_at is None else from_ms(run.ended_at),
            "end": run.end,
            **counted,
        }
    )


def effect_row(run: Run, effect: EffectRecord) -> EffectRow:
    """An effect as a flat row."""
    feedback, command = effect.t_feedback, effect.t_command
    return EffectRow(
        effect=effect.number,
        id=effect.id,
        zh=effect.label.zh,
        en=effect.label.en,
        verdict=effect.verdict.value,
        limit_s=None if effect.continuous or effect.reason else (effect.limit - run.t0) / 1000,
        t_command=None if command is None else from_ms(command),
        t_feedback=None if feedback is None else from_ms(feedback),
        seconds=None if feedback is None else (feedback - run.t0) / 1000,
        basis=effect.basis,
        action_zh=effect.action.zh,
        action_en=effect.action.en,
        reason_zh=effect.reason.zh if effect.reason else "",
        reason_en=effect.reason.en if effect.reason else "",
        evidence=evidence(effect, run.panel),
    )


def evidence(effect: EffectRecord, panel: str) -> str:
    """What was seen of an effect, as text."""
    lines = []
    for term in effect.terms:
        held = "-" if term.held_at is None else from_ms(term.held_at).isoformat()
        facts = ", ".join(f"{key}={value} ({quality})" for key, (value, quality, _) in term.facts.items())
        lines.append(f"{term.asset or panel}: {term.text}: {held}: {facts}")
    return "; ".join(lines)


def _note(link: Link) -> NoteRow:
    return NoteRow(at=from_ms(link.at), author=link.author, text=link.body, hash=link.hash)
