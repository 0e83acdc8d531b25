"""Moving traffic between versions of a strategy: set a share, or redo a plan as a hotfix and swap to it."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager import answers, events, plans, store
from dagmanager.answers import Answer
from dagmanager.domain import sentinels as rules
from dagmanager.domain.sentinels import Sentinel
from dagmanager.events import Cause
from dagmanager.plans import PlanRef, Raced
from dagmanager.tables import to_us
from qmtl.core import identity
from qmtl.dag.v1 import service_pb2 as servicepb


def set_weight(conn: Connection, sentinel_id: str, weight: float, etag: str, cause: Cause) -> Sentinel:
    """Set a version's share of traffic and publish on change only.

    Raises NotFound (E_SENTINEL_UNKNOWN), InvalidRequest (E_TRAFFIC_WEIGHT), Conflict (E_ETAG_MISMATCH).
    """
    strategy_id = plans.require_sentinel(conn, sentinel_id).strategy_id
    before = _locked(conn, strategy_id, sentinel_id)
    after = rules.with_weight(before, weight, etag)
    if after is not before:
        plans.store_weight(conn, after)
        events.publish_weights(conn, strategy_id, plans.lock_sentinels(conn, strategy_id), cause)
    return after


def redo(conn: Connection, request: servicepb.RedoDiffRequest, created_by: str, cause: Cause) -> int:
    """Store a plan again under a hotfix label, in the worlds where it is live, and give it the old one's share.

    Returns the new version; the same for the same request. The old version keeps its references, so that a rollback
    is one change of weight. Raises NotFound (E_PLAN_UNKNOWN, E_SENTINEL_UNKNOWN), Conflict (E_ETAG_MISMATCH,
    E_REQUEST_ID_REUSED), Raced.
    """
    digest = identity.digest(request.SerializeToString(deterministic=True))
    store.lock_graph(conn, exclusive=False)
    done = answers.find_by_request(conn, request.request_id, request.strategy_id, digest)
    if done is not None:
        return done.summary.version
    old = plans.require_plan(conn, request.strategy_id, request.version)
    before = _locked(conn, old.strategy_id, rules.sentinel_id(old.strategy_id, old.version))
    after = rules.with_weight(before, 0.0, request.etag)
    newest = plans.require_plan(conn, old.strategy_id, 0)
    new = PlanRef(old.strategy_id, newest.version + 1, request.hotfix_label, old.dag_id)
    plans.store_plan(conn, new, created_by, cause.now)
    _copy_references(conn, old, new, cause)
    plans.store_weight(conn, after)
    plans.store_sentinel(conn, new, before.commit_hash, before.traffic_weight, cause.now)
    events.publish_weights(conn, old.strategy_id, plans.lock_sentinels(conn, old.strategy_id), cause)
    answer = Answer(b"", servicepb.DiffSummary(version=new.version))
    if not answers.keep_for_request(conn, request.request_id, old.strategy_id, digest, answer, cause.now):
        raise Raced
    return new.version


def _locked(conn: Connection, strategy_id: str, sentinel_id: str) -> Sentinel:
    for sentinel in plans.lock_sentinels(conn, strategy_id):
        if sentinel.sentinel_id == sentinel_id:
            return sentinel
    return plans.require_sentinel(conn, sentinel_id)


def _copy_references(conn: Connection, old: PlanRef, new: PlanRef, cause: Cause) -> None:
    values = {
        "strategy_id": old.strategy_id,
        "old": old.version,
        "new": new.version,
        "now": to_us(cause.now),
    }
    conn.execute(_COPY_CONTEXTS, values)
    conn.execute(_COPY_QUERIES, values)


_COPY_CONTEXTS = sa.text(
    "INSERT INTO plan_contexts "
    "(strategy_id, version, world_id, execution_domain, as_of, partition, dag_id, created_us) "
    "SELECT strategy_id, CAST(:new AS BIGINT), world_id, execution_domain, as_of, partition, dag_id, "
    "CAST(:now AS BIGINT) FROM plan_contexts "
    "WHERE strategy_id = :strategy_id AND version = :old AND released_us IS NULL"
)
_COPY_QUERIES = sa.text(
    "INSERT INTO tag_query_refs (key, strategy_id, version, world_id) "
    "SELECT key, strategy_id, CAST(:new AS BIGINT), world_id FROM tag_query_refs "
    "WHERE strategy_id = :strategy_id AND version = :old"
)
