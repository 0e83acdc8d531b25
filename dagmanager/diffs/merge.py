"""A DAG merged into the graph in one transaction: nodes, queues, plan, sentinel, events and the answer commit together.

Concurrent diffs settle on one node row and one queue per ComputeKey: what another process wrote first is
never overwritten, the loser runs again on it. Rows are written in key order, so that two diffs wait and
never deadlock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.diffs import answers, lookups, wire
from dagmanager.diffs.answers import Answer
from dagmanager.diffs.domain import diff
from dagmanager.diffs.domain.diff import DiffOutcome, Known, NewQueue
from dagmanager.diffs.domain.question import Question
from dagmanager.diffs.lookups import Asker, DagMembers, Keys
from dagmanager.plans import store as plan_store
from dagmanager.plans.store import PlanRef, Raced
from dagmanager.queues import recompute, tag_queries
from dagmanager.queues.domain import queues as queues_domain
from dagmanager.queues.domain.queues import QueueState, QueueTraits, TagQuery
from dagmanager.queues.events import Cause
from dagmanager.queues.store import traits_of
from dagmanager.queues.world_sets import publish_world_sets
from dagmanager.revisions import GRAPH, SETTLED, advance, ask_revisions, lock_graph
from dagmanager.sentinels import domain as sentinel_rules
from dagmanager.sentinels import store as sentinel_store
from dagmanager.sentinels.events import publish_weights
from dagmanager.tables import edges, nodes, queues
from qmtl.core import instants
from qmtl.core.identity import canonical
from qmtl.core.identity import keys as identity_keys
from qmtl.core.identity.nodes import Dag, DagNode
from qmtl.core.modes import ComputeContext
from qmtl.sql.instants import micros
from qmtl.sql.statements.lists import bounded
from qmtl.sql.statements.prepared import Later, Prepared

_WITH_RECORDS = (QueueState.ACTIVE.name, QueueState.RELEASED.name)


def answer_again(conn: Connection, asked: Question, cause: Cause) -> Answer | None:
    """The answer of this very request, or of the same question while nothing it rests on has changed; else None.

    Raises Conflict (E_REQUEST_ID_REUSED).
    """
    return _answer_again(conn, asked, _before(conn, asked), cause)


def _answer_again(conn: Connection, asked: Question, before: _Before, cause: Cause) -> Answer | None:
    if before.answer is not None:
        return before.answer
    newest = before.newest
    if newest is None or not plan_store.refers_to_all(conn, newest, asked.contexts):
        return None
    answer = answers.find_seen(conn, _question_key(asked, before.places), before.settled)
    if answer is None or newest.version != answer.summary.version:
        return None
    kept = answers.keep_for_request(conn, asked.request_id, asked.strategy_id, asked.digest, answer, cause.now)
    if not kept:
        raise Raced
    return answer


def merge(
    conn: Connection, asked: Question, dag: Dag, body: Callable[[], bytes], members: DagMembers, cause: Cause
) -> Answer:
    """The answer again, or the checked DAG merged into the graph; `body` serialises the DAG if it has to be stored.

    Raises Raced when another process wrote the same rows first: run it again. InvalidRequest (E_NODE_ID_COLLISION,
    E_TOO_MANY_TAGS), Conflict (E_REQUEST_ID_REUSED).
    """
    queries = queues_domain.queries_of(dag.nodes, asked.contexts)
    lock_graph(conn, exclusive=bool(tag_queries.unregistered(conn, queries)))
    stored = plan_store.ask_dag(conn, dag)
    before = _before(conn, asked)
    answer = _answer_again(conn, asked, before, cause)
    if answer is not None:
        return answer
    settled_revision, places = before.settled, dict(before.places)
    plan, is_new_dag, planned = _store_plan(conn, asked, before.newest, dag, stored(), body, cause)
    keys = compute_keys(dag, asked.contexts)
    asker = Asker(asked.strategy_id, plan.version_label, asked.contexts)
    known = lookups.known_for(conn, dag, keys, asker, members)
    planned()
    outcome = diff.decide(dag, asked.contexts, keys, known)
    numbers, written = _write(conn, outcome, dag, known, asked.created_by, cause)
    if is_new_dag:
        plan_store.store_members(conn, plan.dag_id, dag, numbers)
    referred = plan_store.refer(conn, plan, asked.contexts, cause.now)
    written()
    sentinel_id = _make_sentinel(conn, asked, plan, dag, cause)
    for place in referred():
        places[place] += 1
    _publish_sets(conn, outcome, known, queries, plan, cause)
    answer = _answer(outcome, dag, plan, sentinel_id)
    if not answers.keep_for_request(conn, asked.request_id, asked.strategy_id, asked.digest, answer, cause.now):
        raise Raced
    if outcome.changed_schemas:
        advance(conn, SETTLED)
        settled_revision += 1
    settled = _settled(outcome, answer, plan, dag, sentinel_id)
    answers.keep_seen(conn, _question_key(asked, places), settled_revision, settled, cause.now)
    if outcome.new_nodes or outcome.new_queues or outcome.changed_schemas or outcome.new_tags:
        advance(conn, GRAPH)
    return answer


def preview(conn: Connection, dag: Dag, contexts: Sequence[ComputeContext], members: DagMembers) -> Answer:
    """What a diff would answer, without a version or a sentinel; changes nothing."""
    keys = compute_keys(dag, contexts)
    known = lookups.known_for(conn, dag, keys, Asker("", "", contexts), members)
    outcome = diff.decide(dag, contexts, keys, known)
    summary = wire.summary_to_proto(outcome.counts)
    summary.node_ids_crc32 = identity_keys.node_ids_crc32(dag.node_ids)
    return answers.build(outcome.assignments, summary)


def compute_keys(dag: Dag, contexts: Sequence[ComputeContext]) -> Keys:
    """ComputeKeys by world_id, then NodeID."""
    return {context.world_id: diff.compute_keys(dag.node_ids, context) for context in contexts}


def _store_plan(
    conn: Connection,
    asked: Question,
    newest: PlanRef | None,
    dag: Dag,
    stored: int | None,
    body: Callable[[], bytes],
    cause: Cause,
) -> tuple[PlanRef, bool, Later[None]]:
    """The plan, whether its DAG is new, and what raises Raced once the answer is there."""
    dag_id, is_new_dag = plan_store.store_dag(conn, dag, body, stored)
    plan = plan_store.next_plan(newest, asked.strategy_id, dag_id, asked.version_label)
    if plan is newest:
        return plan, is_new_dag, lambda: None
    return plan, is_new_dag, plan_store.store_plan(conn, plan, asked.created_by, cause.now)


def _make_sentinel(conn: Connection, asked: Question, plan: PlanRef, dag: Dag, cause: Cause) -> str:
    """The plan's sentinel, made unless declined or in safe mode; empty when it has none."""
    sentinel_id = sentinel_rules.sentinel_id(plan.strategy_id, plan.version)
    if asked.decline_sentinel or any(context.safe_mode for context in asked.contexts):
        return sentinel_id if sentinel_store.has_sentinel(conn, plan) else ""
    made = sentinel_store.store_sentinel(conn, plan, dag.digest, asked.traffic_weight, cause.now)
    if made is not None:
        # A first version has no others beside it that would have to be read.
        present = [made] if plan.version == 1 else sentinel_store.lock_sentinels(conn, plan.strategy_id)
        publish_weights(conn, plan.strategy_id, present, cause)
    return sentinel_id


def _write(
    conn: Connection, outcome: DiffOutcome, dag: Dag, known: Known, created_by: str, cause: Cause
) -> tuple[Mapping[str, int], Later[None]]:
    """Write what is new; the numbers of new nodes by NodeID, and what raises Raced once the answer is there."""
    forms = dict(zip(dag.node_ids, dag.forms, strict=True))
    numbers = _insert_nodes(conn, outcome.new_nodes, known, forms, created_by, micros(cause.now))
    for node in sorted(outcome.changed_schemas, key=lambda node: node.node_id):
        values = {"node_id": node.node_id, "schema_hash": node.schema_hash, "now": micros(cause.now)}
        _CHANGE_SCHEMA.send(conn, values)
    if outcome.new_tags:
        tagged = [node for node in dag.nodes if node.node_id in outcome.new_tags]
        _insert_tags(conn, tagged, plan_store.numbers_of(conn, outcome.new_tags))
        for node_id, tags in sorted(outcome.new_tags.items()):
            conn.execute(sa.update(nodes).where(nodes.c.node_id == node_id).values(tags=",".join(tags)))
    written = _insert_queues(conn, outcome.new_queues, micros(cause.now))
    recompute.begin(conn, [node.node_id for node in outcome.changed_schemas], cause.now)
    return numbers, written


def _insert_nodes(
    conn: Connection,
    new: Sequence[DagNode],
    known: Known,
    forms: dict[str, bytes],
    owner: str,
    now_us: int,
) -> Mapping[str, int]:
    if not new:
        return {}
    rows = [
        {
            "node_id": node.node_id,
            "node_type": node.spec.node_type,
            "interval_s": node.spec.interval_s,
            "canonical": forms[node.node_id],
            "schema_hash": node.schema_hash,
            "queue_class": node.queue_class.name,
            "kind": node.kind.name,
            "tags": ",".join(sorted(node.tags)),
            "label": known.labels[node.node_id],
            "owner": owner,
            "now": now_us,
        }
        for node in sorted(new, key=lambda node: node.node_id)
    ]
    inserted = _INSERT_NODE.change_each(conn, rows)
    wanted = {node.node_id for node in new}.union(*(node.spec.dependencies for node in new))
    numbers = plan_store.numbers_of(conn, wanted)
    if inserted() != len(rows):
        raise Raced
    links = sorted((numbers[node.node_id], numbers[dep]) for node in new for dep in set(node.spec.dependencies))
    if links:
        _INSERT_EDGE.send_each(conn, [{"node_no": node, "dependency_no": dep} for node, dep in links])
    _insert_tags(conn, new, numbers)
    return numbers


def _insert_tags(conn: Connection, tagged: Sequence[DagNode], numbers: Mapping[str, int]) -> None:
    rows = sorted((tag, node.spec.interval_s, numbers[node.node_id]) for node in tagged for tag in node.tags)
    if rows:
        _INSERT_TAG.send_each(conn, [{"tag": tag, "interval_s": at, "node_no": node_no} for tag, at, node_no in rows])


def _insert_queues(conn: Connection, new: Sequence[NewQueue], now_us: int) -> Later[None]:
    """What raises Raced once the answer is there."""
    fresh = sorted((queue for queue in new if not queue.revived), key=lambda queue: queue.compute_key)
    rows = [
        {
            "compute_key": queue.compute_key,
            "node_id": queue.node.node_id,
            "world_id": queue.context.world_id,
            "execution_domain": queue.context.execution_domain.name,
            "as_of": instants.timestamp_text(queue.context.as_of),
            "partition": queue.context.partition,
            "now": now_us,
        }
        for queue in fresh
    ]
    inserted = _INSERT_QUEUE.change_each(conn, rows)
    revived = sorted(queue.compute_key for queue in new if queue.revived)
    for part in bounded(revived):
        again = queues.c.compute_key.in_(part)
        dropped = sa.update(queues).where(again, queues.c.state.not_in(_WITH_RECORDS))
        conn.execute(dropped.values(rows=0, first_bucket_us=None, last_bucket_us=None, created_us=now_us))
        conn.execute(sa.update(queues).where(again).values(state="ACTIVE", released_us=None, retry_us=None))

    def written() -> None:
        if inserted() != len(fresh):
            raise Raced

    return written


def _publish_sets(
    conn: Connection, outcome: DiffOutcome, known: Known, queries: Sequence[TagQuery], plan: PlanRef, cause: Cause
) -> None:
    changed = {query.key: query for query in tag_queries.unregistered(conn, queries)}
    tag_queries.register(conn, queries, plan.strategy_id, plan.version)
    touched = tag_queries.touched_queries(conn, _changed_queues(conn, outcome, known))
    changed.update({query.key: query for query in touched})
    tag_queries.publish_sets(conn, list(changed.values()), cause)
    publish_world_sets(conn, {queue.context.world_id for queue in outcome.new_queues}, cause)


def _changed_queues(conn: Connection, outcome: DiffOutcome, known: Known) -> set[QueueTraits]:
    """What was made or revived, and in any context what tags were added to."""
    words = {
        QueueTraits(
            _tags(queue.node, known),
            queue.node.spec.interval_s,
            queue.context.world_id,
            queue.context.execution_domain,
        )
        for queue in outcome.new_queues
    }
    for part in bounded(sorted(outcome.new_tags)):
        keys = conn.execute(sa.select(queues.c.compute_key).where(queues.c.node_id.in_(part))).scalars()
        words |= traits_of(conn, list(keys))
    return words


def _tags(node: DagNode, known: Known) -> tuple[str, ...]:
    """All tags of a node after the diff; of a new one those it came with."""
    stored = known.nodes.get(node.node_id)
    return tuple(sorted({*node.tags, *(stored.tags if stored is not None else ())}))


def _answer(outcome: DiffOutcome, dag: Dag, plan: PlanRef, sentinel_id: str) -> Answer:
    summary = wire.summary_to_proto(outcome.counts)
    summary.version = plan.version
    summary.sentinel_id = sentinel_id
    summary.node_ids_crc32 = identity_keys.node_ids_crc32(dag.node_ids)
    return answers.build(outcome.assignments, summary)


def _settled(outcome: DiffOutcome, answer: Answer, plan: PlanRef, dag: Dag, sentinel_id: str) -> Answer:
    """The answer as the next who asks the same shall get it; shares its bytes when nothing was new."""
    after = diff.settled(outcome)
    if after is outcome:
        summary = type(answer.summary)()
        summary.CopyFrom(answer.summary)
        return replace(answer, summary=summary, answer_id=canonical.digest(answer.body))
    return _answer(after, dag, plan, sentinel_id)


@dataclass(frozen=True, slots=True)
class _Before:
    """What a request finds: its own answer, the strategy's newest plan, and the revisions that answers are kept under.

    Read before the graph is, and counted on by this diff's own changes only: what another process commits from here on
    makes the revisions later than those the answer is kept under, and it is given to nobody who asks after that.
    """

    answer: Answer | None
    newest: PlanRef | None
    settled: int
    places: Mapping[str, int]  # of the contexts in their order


def _before(conn: Connection, asked: Question) -> _Before:
    """Raises Conflict (E_REQUEST_ID_REUSED)."""
    revisions = ask_revisions(conn, [SETTLED, *map(plan_store.place_of, asked.contexts)])
    newest = plan_store.ask_newest_plan(conn, asked.strategy_id)
    answer = answers.ask_by_request(conn, asked.request_id, asked.strategy_id, asked.digest)
    places = revisions()
    return _Before(answer(), newest(), places.pop(SETTLED), places)


def _question_key(asked: Question, places: Mapping[str, int]) -> str:
    """Who else computes in the contexts is part of the question: their revisions move with every plan there."""
    return canonical.digest(canonical.canonical_json([asked.digest, list(places.values())]))


_INSERT_NODE = Prepared(
    "INSERT INTO nodes (node_id, node_type, interval_s, canonical, schema_hash, queue_class, kind, tags, label, owner, "
    "created_us) VALUES (:node_id, :node_type, :interval_s, :canonical, :schema_hash, :queue_class, :kind, :tags, "
    ":label, :owner, :now) ON CONFLICT DO NOTHING"
)
_INSERT_EDGE = Prepared(sa.insert(edges))
_CHANGE_SCHEMA = Prepared(
    "UPDATE nodes SET schema_hash = :schema_hash, buffering_since_us = COALESCE(buffering_since_us, :now) "
    "WHERE node_id = :node_id"
)
_INSERT_TAG = Prepared(
    "INSERT INTO node_tags (tag, interval_s, node_no) VALUES (:tag, :interval_s, :node_no) ON CONFLICT DO NOTHING"
)
_INSERT_QUEUE = Prepared(
    "INSERT INTO queues (compute_key, node_id, world_id, execution_domain, as_of, partition, state, created_us, rows) "
    "VALUES (:compute_key, :node_id, :world_id, :execution_domain, :as_of, :partition, 'ACTIVE', :now, 0) "
    "ON CONFLICT DO NOTHING"
)
