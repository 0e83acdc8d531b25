"""Reads what was recorded of a strategy in a world until an instant, in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from qmtl.core.errors import NotFound
from qmtl.wire.instants import instant_from_proto
from qmtl.world.v1 import divergence_pb2 as divergencepb
from worldservice.campaigns import store
from worldservice.campaigns.dossier.lines import Record
from worldservice.campaigns.reports import store as report_store
from worldservice.evaluation import store as evaluation_store
from worldservice.evaluation.domain.runs import EvaluationRun
from worldservice.policy.store import compiled, find_policy
from worldservice.worlds.domain.world import World
from worldservice.worlds.store.audit import rows_naming
from worldservice.worlds.store.bindings import find_binding

AUDIT_MAX = 20_000


def read_record(conn: Connection, world: World, strategy_id: str, at: datetime) -> Record:
    """Everything that a dossier is made of. Raises NotFound (E_BINDING_UNKNOWN) for a strategy never bound there."""
    world_id = world.world_id
    if find_binding(conn, world_id, strategy_id) is None:
        raise NotFound("E_BINDING_UNKNOWN", f"strategy {strategy_id} was never bound in world {world_id}")
    revisions = evaluation_store.runs_until(conn, world_id, strategy_id, at)
    audit, left_out = rows_naming(conn, world_id, strategy_id, at, AUDIT_MAX)
    judged = [run.report.policy_version for run in revisions if run.report is not None]
    version = judged[-1] if judged else 0
    policy = find_policy(conn, world_id, version) if version else None
    return Record(
        world_id=world_id,
        strategy_id=strategy_id,
        at=at,
        runs=_last(revisions),
        versions=frozenset(run.evidence.strategy_version for run in revisions),
        audit=tuple(audit),
        left_out=left_out,
        promotions=tuple(store.promotions_until(conn, world_id, strategy_id, at)),
        overrides=tuple(one for one in store.overrides_of(conn, world_id, strategy_id) if one.granted_at <= at),
        trials=tuple(store.trials_until(conn, world_id, strategy_id, at)),
        reports=tuple(_reports(conn, world_id, strategy_id, at)),
        policy_version=version,
        terms=None if policy is None else compiled(policy.document).campaign,
    )


def _last(revisions: Sequence[EvaluationRun]) -> tuple[EvaluationRun, ...]:
    """Each run at its last revision, in the order of those."""
    found: dict[str, EvaluationRun] = {}
    for run in revisions:
        found.pop(run.evidence.run_id, None)
        found[run.evidence.run_id] = run
    return tuple(found.values())


def _reports(
    conn: Connection, world_id: str, strategy_id: str, at: datetime
) -> Sequence[divergencepb.DivergenceReport]:
    found = report_store.all_reports(conn, world_id, strategy_id)
    return [one for one in found if instant_from_proto(one.created_at, "created_at") <= at]
