"""Stamps: one cheap read that changes whenever something is written that a world's decision rests on.

Numbers that only grow come first, so that the later of two stamps compares as the greater. Evaluations are counted
over all worlds: their newest is one step away by its key, and one elsewhere costs no more than a decision.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from qmtl.sql.statements.prepared import Prepared
from worldservice.activation.tables import activations
from worldservice.evaluation.tables import decisions, evaluation_runs
from worldservice.worlds.domain.binding import BindingState
from worldservice.worlds.domain.world import World
from worldservice.worlds.tables import bindings, sessions


@dataclass(frozen=True, slots=True, order=True)
class Stamp:
    """As of a transaction that holds the world's lock. Strategies that join unevaluated are not in it: they change
    nothing for anybody."""

    world: int
    activation: int
    decision: int
    evaluation: int
    removed: int  # bindings, so that leaving and coming back are seen
    sessions: tuple[int, int, int]  # how many are open, when the newest opened, the furthest watermark


def stamp_of(conn: Connection, world: World) -> Stamp:
    """Everything that the decision on a world rests on, as it is now."""
    activation, decision, evaluation, removed, *sessions = _STAMP.rows(conn, {"world": world.world_id}).one()
    count, newest, furthest = sessions
    return Stamp(world.revision, activation, decision, evaluation, removed, (count, newest, furthest))


_WORLD: sa.BindParameter[str] = sa.bindparam("world")
_OPEN = (sessions.c.world_id == _WORLD, sessions.c.closed_us.is_(None))
_STAMP = Prepared(
    sa.select(
        *(
            sa.func.coalesce(query.scalar_subquery(), 0)
            for query in (
                sa.select(activations.c.revision).where(activations.c.world_id == _WORLD),
                sa.select(sa.func.max(decisions.c.sequence)).where(decisions.c.world_id == _WORLD),
                sa.select(sa.func.max(evaluation_runs.c.sequence)),
                sa.select(sa.func.count()).where(
                    bindings.c.world_id == _WORLD, bindings.c.state == BindingState.REMOVED.value
                ),
                sa.select(sa.func.count()).select_from(sessions).where(*_OPEN),
                sa.select(sa.func.max(sessions.c.opened_us)).where(*_OPEN),
                sa.select(sa.func.max(sessions.c.watermark_us)).where(*_OPEN),
            )
        )
    )
)
