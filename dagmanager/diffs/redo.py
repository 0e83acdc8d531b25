"""A plan stored again as a hotfix: a new version of the same DAG, which takes over the traffic of the old one."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager import revisions
from dagmanager.diffs import answers
from dagmanager.diffs.answers import Answer
from dagmanager.plans import store as plans_store
from dagmanager.plans.store import PlanRef, Raced
from dagmanager.queues.events import Cause
from dagmanager.sentinels import domain as rules
from dagmanager.sentinels import events as sentinels_events
from dagmanager.sentinels import store as sentinels_store
from dagmanager.sentinels.weights import lock_sentinel
from qmtl.core.identity import canonical
from qmtl.dag.v1 import diff_pb2 as diffpb
from qmtl.dag.v1 import hotfix_service_pb2 as hotfixservicepb
from qmtl.sql.instants import micros


def redo(conn: Connection, request: hotfixservicepb.RedoDiffRequest, created_by: str, cause: Cause) -> int:
    """Store a plan again under a hotfix label, in the worlds where it is live, and give it the old one's share.

    Returns the new version; the same for the same request. The old version keeps its references, so that a rollback
    is one change of weight. Raises NotFound (E_PLAN_UNKNOWN, E_SENTINEL_UNKNOWN), Conflict (E_ETAG_MISMATCH,
    E_REQUEST_ID_REUSED), Raced.
    """
    digest = canonical.digest(request.SerializeToString(deterministic=True))
    revisions.lock_graph(conn, exclusive=False)
    done = answers.find_by_request(conn, request.request_id, request.strategy_id, digest)
    if done is not None:
        return done.summary.version
    old = plans_store.require_plan(conn, request.strategy_id, request.version)
    before = lock_sentinel(conn, old.strategy_id, rules.sentinel_id(old.strategy_id, old.version))
    after = rules.with_weight(before, 0.0, request.etag)
    newest = plans_store.require_plan(conn, old.strategy_id, 0)
    new = PlanRef(old.strategy_id, newest.version + 1, request.hotfix_label, old.dag_id)
    plans_store.store_plan(conn, new, created_by, cause.now)()
    _copy_references(conn, old, new, cause)
    sentinels_store.store_weight(conn, after)
    sentinels_store.store_sentinel(conn, new, before.commit_hash, before.traffic_weight, cause.now)
    sentinels_events.publish_weights(
        conn, old.strategy_id, sentinels_store.lock_sentinels(conn, old.strategy_id), cause
    )
    answer = Answer(b"", diffpb.DiffSummary(version=new.version))
    if not answers.keep_for_request(conn, request.request_id, old.strategy_id, digest, answer, cause.now):
        raise Raced
    return new.version


def _copy_references(conn: Connection, old: PlanRef, new: PlanRef, cause: Cause) -> None:
    values = {
        "strategy_id": old.strategy_id,
        "old": old.version,
        "new": new.version,
        "now": micros(cause.now),
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
