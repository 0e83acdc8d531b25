"""Rows of campaigns, promotions, trials and overrides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from pydantic import TypeAdapter
from sqlalchemy import Connection

from qmtl.core.errors import NotFound, refused
from qmtl.sql.instants import instant, micros
from qmtl.sql.statements.prepared import Prepared
from worldservice.campaigns.domain.overrides import Override
from worldservice.campaigns.domain.phases import LIVE, Campaign, Phase
from worldservice.campaigns.domain.promotions import Promotion
from worldservice.campaigns.domain.selection import TrialsSummary
from worldservice.campaigns.tables import campaigns, evaluation_overrides, promotions, trials
from worldservice.worlds.domain.binding import BindingState, Stage
from worldservice.worlds.tables import bindings, live_approvals

_CAMPAIGN = TypeAdapter(Campaign)
_PROMOTION = TypeAdapter(Promotion)
_OVERRIDE = TypeAdapter(Override)
_SUMMARY = TypeAdapter(TrialsSummary)
_VARIANTS = TypeAdapter(dict[str, int])


def find_campaign(conn: Connection, world_id: str, strategy_id: str) -> Campaign:
    """The campaign of a strategy; one that never moved is at its beginning."""
    where = (campaigns.c.world_id == world_id, campaigns.c.strategy_id == strategy_id)
    text = conn.execute(sa.select(campaigns.c.campaign).where(*where)).scalar_one_or_none()
    return Campaign(world_id, strategy_id) if text is None else _CAMPAIGN.validate_json(text)


def campaigns_of(conn: Connection, world_id: str) -> Mapping[str, Campaign]:
    """Every campaign of a world that ever moved, by strategy."""
    query = sa.select(campaigns.c.campaign).where(campaigns.c.world_id == world_id)
    found = [_CAMPAIGN.validate_json(text) for text in conn.execute(query).scalars()]
    return {one.strategy_id: one for one in found}


def save_campaign(conn: Connection, campaign: Campaign) -> None:
    """Take the place of what was stored."""
    where = (campaigns.c.world_id == campaign.world_id, campaigns.c.strategy_id == campaign.strategy_id)
    conn.execute(sa.delete(campaigns).where(*where))
    text = _CAMPAIGN.dump_json(campaign).decode()
    key = {"world_id": campaign.world_id, "strategy_id": campaign.strategy_id}
    conn.execute(sa.insert(campaigns).values(**key, phase=campaign.phase.value, campaign=text))


def drifted(conn: Connection) -> list[tuple[str, str, Phase]]:
    """World, strategy and phase of each binding whose campaign is not where it is, or may be back from its demotion.

    Who trades live by an approval that was taken back is not where it is either.
    """
    return [(row.world_id, row.strategy_id, Phase(row.phase)) for row in _DRIFTED.rows(conn)]


def _drifted() -> sa.Select[tuple[str, str, str]]:
    c, b, a = campaigns.c, bindings.c, live_approvals.c
    phase = sa.func.coalesce(c.phase, Phase.BACKTEST.value)
    of_binding = sa.and_(c.world_id == b.world_id, c.strategy_id == b.strategy_id)
    moves = sa.or_(
        sa.and_(phase == Phase.BACKTEST.value, b.stage != Stage.BACKTEST.value),
        sa.and_(phase == Phase.PAPER.value, b.stage != Stage.PAPER.value),
        sa.and_(phase == Phase.DEMOTED.value, b.stage != Stage.BACKTEST.value),
        sa.and_(phase.in_([one.value for one in LIVE]), sa.or_(b.stage != Stage.LIVE.value, a.revoked_us.is_not(None))),
    )
    shown = sa.select(b.world_id, b.strategy_id, phase.label("phase"))
    approved = sa.and_(a.world_id == b.world_id, a.strategy_id == b.strategy_id)
    joined = bindings.outerjoin(campaigns, of_binding).outerjoin(live_approvals, approved)
    query = shown.select_from(joined)
    return query.where(b.state == BindingState.ACTIVE.value, moves).order_by(b.world_id, b.strategy_id)


def count_phases(conn: Connection) -> dict[Phase, int]:
    """How many bound strategies are in each phase; one whose campaign never moved is in BACKTEST."""
    found = {row.in_phase: row.bound for row in _COUNT.rows(conn)}
    return {one: found.get(one.value, 0) for one in Phase}


def _count() -> sa.Select[Any]:
    c, b = campaigns.c, bindings.c
    phase = sa.func.coalesce(c.phase, Phase.BACKTEST.value).label("in_phase")  # a name that no column has
    joined = bindings.outerjoin(campaigns, sa.and_(c.world_id == b.world_id, c.strategy_id == b.strategy_id))
    columns: list[Any] = [phase, sa.func.count().label("bound")]
    return (
        sa.select(*columns)
        .select_from(joined)
        .where(b.state == BindingState.ACTIVE.value)
        .group_by(sa.text("in_phase"))
    )


def live_campaigns(conn: Connection) -> list[Campaign]:
    """Every campaign of who trades live."""
    return [_CAMPAIGN.validate_json(text) for text in _LIVE.rows(conn).scalars()]


def insert_promotion(conn: Connection, promotion: Promotion) -> None:
    """A second open one of a strategy breaks the unique index, whatever was checked before."""
    key = {"world_id": promotion.world_id, "strategy_id": promotion.strategy_id, "run_id": promotion.run_id}
    conn.execute(sa.insert(promotions).values(**key, **_promotion_values(promotion)))


def save_promotion(conn: Connection, promotion: Promotion) -> None:
    """Store the promotion as it is now."""
    where = (promotions.c.world_id == promotion.world_id, promotions.c.run_id == promotion.run_id)
    conn.execute(sa.update(promotions).where(*where).values(**_promotion_values(promotion)))


def find_promotion(conn: Connection, world_id: str, run_id: str) -> Promotion | None:
    """A promotion by its run, or None."""
    where = (promotions.c.world_id == world_id, promotions.c.run_id == run_id)
    text = conn.execute(sa.select(promotions.c.promotion).where(*where)).scalar_one_or_none()
    return None if text is None else _PROMOTION.validate_json(text)


def get_promotion(conn: Connection, world_id: str, strategy_id: str, run_id: str) -> Promotion:
    """A strategy's promotion by its run. Raises NotFound (E_RUN_UNKNOWN)."""
    found = find_promotion(conn, world_id, run_id)
    if found is None or found.strategy_id != strategy_id:
        raise NotFound("E_RUN_UNKNOWN", f"strategy {strategy_id} has no promotion {run_id!r} in world {world_id}")
    return found


def newest_promotions(conn: Connection, world_id: str) -> Mapping[str, Promotion]:
    """The newest promotion of each strategy of a world, by strategy."""
    newest = (
        sa.select(sa.func.max(promotions.c.sequence))
        .where(promotions.c.world_id == world_id)
        .group_by(promotions.c.strategy_id)
    )
    query = sa.select(promotions.c.promotion).where(promotions.c.sequence.in_(newest.scalar_subquery()))
    found = [_PROMOTION.validate_json(text) for text in conn.execute(query).scalars()]
    return {one.strategy_id: one for one in found}


def open_promotions(conn: Connection) -> list[Promotion]:
    """Every open promotion, of all worlds."""
    return [_PROMOTION.validate_json(text) for text in _OPEN.rows(conn).scalars()]


@dataclass(frozen=True, slots=True)
class StoredTrials:
    """A table of trials, appended and never changed: when it was put, and what it came to then.

    `variants`: the digest of each column, and the number of the variant that it has, of those ever tried, from 1.
    """

    put_at: datetime
    summary: TrialsSummary
    variants: Mapping[str, int]


def append_trials(conn: Connection, world_id: str, strategy_id: str, put: StoredTrials, body: bytes) -> None:
    """Add a table beside those that the strategy has."""
    values = {
        "world_id": world_id,
        "strategy_id": strategy_id,
        "trials_hash": put.summary.trials_hash,
        "summary": _SUMMARY.dump_json(put.summary).decode(),
        "variants": _VARIANTS.dump_json(dict(put.variants)).decode(),
        "put_us": micros(put.put_at),
    }
    conn.execute(sa.insert(trials).values(**values, body=body))


def trials_of_world(conn: Connection, world_id: str) -> Mapping[str, TrialsSummary]:
    """What the newest table of each strategy of a world comes to, of those that have some."""
    newest = (
        sa.select(sa.func.max(trials.c.sequence)).where(trials.c.world_id == world_id).group_by(trials.c.strategy_id)
    )
    query = sa.select(trials.c.strategy_id, trials.c.summary).where(trials.c.sequence.in_(newest.scalar_subquery()))
    return {row.strategy_id: _SUMMARY.validate_json(row.summary) for row in conn.execute(query)}


def trials_until(conn: Connection, world_id: str, strategy_id: str, at: datetime) -> list[StoredTrials]:
    """The tables of a strategy that were put by an instant, oldest first."""
    where = (trials.c.world_id == world_id, trials.c.strategy_id == strategy_id, trials.c.put_us <= micros(at))
    query = sa.select(trials.c.put_us, trials.c.summary, trials.c.variants).where(*where)
    return [
        StoredTrials(instant(row.put_us), _SUMMARY.validate_json(row.summary), _VARIANTS.validate_json(row.variants))
        for row in conn.execute(query.order_by(trials.c.sequence))
    ]


def trials_body(conn: Connection, world_id: str, strategy_id: str, trials_hash: str) -> bytes:
    """A stored table of trials. Raises InvalidRequest (E_TRIALS_TABLE) where it is not there."""
    query = sa.select(trials.c.body).where(trials.c.world_id == world_id, trials.c.strategy_id == strategy_id)
    body = conn.execute(query.where(trials.c.trials_hash == trials_hash)).scalar_one_or_none()
    if body is not None:
        return bytes(body)
    raise refused("E_TRIALS_TABLE", "trials_hash", trials_hash, f"that of a table stored for {strategy_id}")


def promotions_until(conn: Connection, world_id: str, strategy_id: str, at: datetime) -> list[Promotion]:
    """Those of a strategy that were asked for by an instant, oldest first, as they are now."""
    where = (promotions.c.world_id == world_id, promotions.c.strategy_id == strategy_id)
    rows = conn.execute(sa.select(promotions.c.promotion).where(*where).order_by(promotions.c.sequence)).scalars()
    return [one for one in map(_PROMOTION.validate_json, rows) if one.requested_at <= at]


def overrides_of(conn: Connection, world_id: str, strategy_id: str) -> list[Override]:
    """Every one of a strategy, oldest first."""
    table = evaluation_overrides
    where = (table.c.world_id == world_id, table.c.strategy_id == strategy_id)
    rows = conn.execute(sa.select(table.c.override).where(*where).order_by(table.c.sequence)).scalars()
    return [_OVERRIDE.validate_json(text) for text in rows]


def append_override(conn: Connection, override: Override) -> None:
    """Add one; it never changes."""
    key = {"world_id": override.world_id, "strategy_id": override.strategy_id}
    text, ends = _OVERRIDE.dump_json(override).decode(), micros(override.expires_at)
    conn.execute(sa.insert(evaluation_overrides).values(**key, expires_us=ends, override=text))


def overrides_of_world(conn: Connection, world_id: str) -> list[Override]:
    """Those of a world, also those that have ended, oldest first."""
    table = evaluation_overrides
    query = sa.select(table.c.override).where(table.c.world_id == world_id).order_by(table.c.sequence)
    rows = conn.execute(query).scalars()
    return [_OVERRIDE.validate_json(text) for text in rows]


def _promotion_values(promotion: Promotion) -> dict[str, object]:
    return {"open": promotion.open, "promotion": _PROMOTION.dump_json(promotion).decode()}


# What the keeper asks each second.
_COUNT = Prepared(_count())
_DRIFTED = Prepared(_drifted())
_LIVE = Prepared(
    sa.select(campaigns.c.campaign)
    .where(campaigns.c.phase.in_([one.value for one in LIVE]))
    .order_by(campaigns.c.world_id, campaigns.c.strategy_id)
)
_OPEN = Prepared(sa.select(promotions.c.promotion).where(promotions.c.open).order_by(promotions.c.sequence))
