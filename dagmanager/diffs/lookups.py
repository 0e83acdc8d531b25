"""What a diff must know of the graph, read in bounded lists: nodes, queues, labels and who shares them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

from dagmanager.diffs.domain.diff import Known, KnownNode
from dagmanager.queues.domain import labels as labels_domain
from dagmanager.queues.domain.queues import QueueState
from dagmanager.tables import dag_nodes, dags, nodes, queues
from qmtl.core.identity import keys as identity_keys
from qmtl.core.identity.nodes import Dag
from qmtl.core.instants import timestamp_text
from qmtl.core.modes import ComputeContext
from qmtl.sql.instants import instant
from qmtl.sql.statements.lists import any_of, bounded
from qmtl.sql.statements.prepared import Later, Prepared
from qmtl.sql.statements.rows import Rows

CACHED_IDS_MAX = 400_000

Keys = Mapping[str, Mapping[str, str]]
"""ComputeKeys by world_id, then NodeID."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Whose diff it is, under which version label and in which contexts."""

    strategy_id: str
    version_label: str
    contexts: Sequence[ComputeContext]


class DagMembers:
    """NodeIDs by DAG digest, bounded. A digest never changes its content, so an entry can never be stale."""

    def __init__(self, ids_max: int = CACHED_IDS_MAX) -> None:
        self._ids_max = ids_max
        self._held: OrderedDict[str, frozenset[str]] = OrderedDict()
        self._count = 0

    def of(self, conn: Connection, digest: str) -> frozenset[str]:
        """The NodeIDs of a stored DAG. Not for use by two threads at once on SQLite's single writer; harmless if so."""
        found = self._held.get(digest)
        if found is None:
            rows = (
                sa.select(nodes.c.node_id)
                .join(dag_nodes, dag_nodes.c.node_no == nodes.c.node_no)
                .join(dags, dags.c.dag_id == dag_nodes.c.dag_id)
                .where(dags.c.digest == digest)
            )
            found = frozenset(conn.execute(rows).scalars().all())
            self._held[digest] = found
            self._count += len(found)
        while self._count > self._ids_max and len(self._held) > 1:
            self._count -= len(self._held.popitem(last=False)[1])
        return found


def known_for(conn: Connection, dag: Dag, keys: Keys, asker: Asker, members: DagMembers) -> Known:
    """Everything `decide` asks for. Raises InvalidRequest (E_NODE_ID_COLLISION)."""
    known = _known_nodes(conn, dag)
    missing = [node for node in dag.nodes if node.node_id not in known]
    stored = {world_id: {node_id: by_node[node_id] for node_id in known} for world_id, by_node in keys.items()}
    states = _queue_states(conn, stored) if known else dict
    sharers = _count_sharers(conn, stored, asker, members) if known else dict
    return Known(
        nodes=known,
        labels=labels_domain.claim_labels(missing, asker.version_label, lambda labels: _label_holders(conn, labels)),
        queues=states(),
        sharers=sharers(),
    )


def _known_nodes(conn: Connection, dag: Dag) -> dict[str, KnownNode]:
    forms = dict(zip(dag.node_ids, dag.forms, strict=True))
    known = {}
    for part in bounded(dag.node_ids):
        rows = _KNOWN.rows(conn, {"ids": part}).all()
        for node_id, canonical, label, schema_hash, tags, buffering in rows:
            identity_keys.check_collision(node_id, canonical, forms[node_id])
            known[node_id] = KnownNode(
                label,
                schema_hash,
                tuple(tags.split(",")) if tags else (),
                None if buffering is None else instant(buffering),
            )
    return known


def _queue_states(conn: Connection, keys: Keys) -> Later[dict[str, QueueState]]:
    asked = [_STATES.ask(conn, {"keys": part}) for by_node in keys.values() for part in bounded(by_node.values())]
    return lambda: {key: QueueState[state] for answer in asked for key, state in answer.rows()}


def _label_holders(conn: Connection, labels: Collection[str]) -> dict[str, str]:
    held: dict[str, str] = {}
    for part in bounded(sorted(labels)):
        rows = _LABELS.rows(conn, {"labels": part})
        held.update({row.label: row.node_id for row in rows})
    return held


def _count_sharers(conn: Connection, keys: Keys, asker: Asker, members: DagMembers) -> Later[dict[str, int]]:
    """Other strategies that compute each of these queues, to be heard later."""
    asked = [(each, _SHARERS.ask(conn, _sharers_of(each, asker.strategy_id))) for each in asker.contexts]
    return lambda: _counted(conn, keys, [(context, answer.rows()) for context, answer in asked], members)


def _counted(
    conn: Connection, keys: Keys, found: Iterable[tuple[ComputeContext, Rows]], members: DagMembers
) -> dict[str, int]:
    counts: dict[str, int] = {}
    for context, sharers in found:
        mine = keys[context.world_id]
        ids = frozenset(mine)
        several: dict[str, frozenset[str]] = {}
        for strategy_id, digest, strategies in sharers:
            shared = members.of(conn, digest) & ids
            if strategy_id:
                several[strategy_id] = several.get(strategy_id, frozenset()) | shared
                continue
            for node_id in shared:
                counts[mine[node_id]] = counts.get(mine[node_id], 0) + strategies
        for shared in several.values():
            for node_id in shared:
                counts[mine[node_id]] = counts.get(mine[node_id], 0) + 1
    return counts


def _sharers_of(context: ComputeContext, strategy_id: str) -> dict[str, str]:
    return {
        "world_id": context.world_id,
        "execution_domain": context.execution_domain.value,
        "as_of": timestamp_text(context.as_of),
        "partition": context.partition,
        "strategy_id": strategy_id,
    }


# Statements of every diff, built once: building one costs as much as running it.
_KNOWN = Prepared(
    sa.select(
        nodes.c.node_id, nodes.c.canonical, nodes.c.label, nodes.c.schema_hash, nodes.c.tags, nodes.c.buffering_since_us
    ).where(nodes.c.node_id.in_(any_of("ids")))
)
_STATES = Prepared(sa.select(queues.c.compute_key, queues.c.state).where(queues.c.compute_key.in_(any_of("keys"))))
_LABELS = Prepared(sa.select(nodes.c.label, nodes.c.node_id).where(nodes.c.label.in_(any_of("labels"))))
# Strategies by the DAG they run in a context. One that runs several there, as versions of it do, is named, since it
# counts once for a node that all of them have; the others are only counted.
_SHARERS = Prepared(
    "WITH held AS ("
    "SELECT DISTINCT strategy_id, dag_id FROM plan_contexts WHERE world_id = :world_id AND "
    "execution_domain = :execution_domain AND as_of = :as_of AND partition = :partition AND released_us IS NULL AND "
    "strategy_id <> :strategy_id), "
    "named AS ("
    "SELECT dag_id, CASE WHEN COUNT(*) OVER (PARTITION BY strategy_id) > 1 THEN strategy_id ELSE '' END AS strategy "
    "FROM held) "
    "SELECT named.strategy, dags.digest, COUNT(*) FROM named JOIN dags ON dags.dag_id = named.dag_id "
    "GROUP BY named.strategy, dags.digest"
)
