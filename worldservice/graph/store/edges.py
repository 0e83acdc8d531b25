"""Rows of a world's edges: overrides, the nodes of the strategies bound here, and what applies have opened.

Every function runs in a transaction of its caller, which holds the world's lock where it writes.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from blake3 import blake3
from sqlalchemy import Connection, RowMapping

from qmtl.core.errors import Exhausted, NotFound
from qmtl.core.identity.canonical import canonical_json, digest
from qmtl.core.modes import ExecutionDomain
from qmtl.core.paging import Page
from qmtl.sql.instants import micros
from qmtl.sql.statements.prepared import Prepared
from qmtl.sql.statements.rows import Rows
from worldservice.graph.domain.edges import Cut, Opened, still_open
from worldservice.graph.domain.nodes import EdgeKey, EdgeOverride, short
from worldservice.graph.store.nodes import save_row
from worldservice.graph.tables import bound_nodes, edge_cuts, edge_openings, world_edges
from worldservice.policy.store import policy_of
from worldservice.worlds.domain.binding import BindingState
from worldservice.worlds.domain.world import World
from worldservice.worlds.tables import bindings

CUTS_MAX = 200  # edges off in one world: times its strategies, what a decision may have to count
PAGE_MAX = 100  # each override of a page may have to be looked for in every graph


def save_override(conn: Connection, override: EdgeOverride) -> None:
    """Raises Exhausted (E_TOO_MANY_ROWS)."""
    key = _edge_values(override.key)
    if override.cuts and not _is_cut(conn, override.key):
        _refuse_one_more(conn, override.key.world_id)
    values = {
        "active": override.active,
        "reason": override.reason,
        "cuts": override.cuts,
        "edge_key": edge_key_of(override.key),
    }
    save_row(conn, world_edges, key, values)
    conn.execute(_FIND_CUTS if override.cuts else _END_CUTS, _ends(override.key))


def list_overrides(conn: Connection, world_id: str, page: Page[tuple[str, str, str, str]]) -> list[EdgeOverride]:
    """Overrides in the order of their edges."""
    table = world_edges
    key = (table.c.from_node_id, table.c.from_domain, table.c.to_node_id, table.c.to_domain)
    query = sa.select(table).where(table.c.world_id == world_id)
    if page.after is not None:
        query = query.where(sa.tuple_(*key) > sa.tuple_(*page.after))
    return [_override(row) for row in conn.execute(query.order_by(*key).limit(page.size + 1)).mappings()]


def override_key(override: EdgeOverride) -> tuple[str, str, str, str]:
    """Where a listing goes on after an override."""
    key = override.key
    return key.from_node_id, key.from_domain.value, key.to_node_id, key.to_domain.value


def delete_override(conn: Connection, key: EdgeKey) -> None:
    """Raises NotFound (E_EDGE_OVERRIDE_UNKNOWN)."""
    if conn.execute(sa.delete(world_edges).where(*_is_edge(key))).rowcount == 0:
        raise NotFound("E_EDGE_OVERRIDE_UNKNOWN", f"world {key.world_id} has no override of the edge {key}")
    conn.execute(_END_CUTS, _ends(key))


@dataclass(frozen=True, slots=True)
class Cuts:
    """The domains where a world has edges off, and by strategy those of its own graph."""

    off: frozenset[ExecutionDomain]
    of: Mapping[str, tuple[Cut, ...]]


def cuts_of(conn: Connection, world_id: str) -> Cuts:
    """The edges of a world that are off, by strategy; one read by index where none is off, and no join in any case.

    A reading transaction sees one state of the store, so what was found is there to be shown.
    """
    off = frozenset(ExecutionDomain(name) for name in _OFF_IN.rows(conn, {"world": world_id}).scalars())
    if not off:
        return Cuts(off, {})
    rows = _CUTS_OF.rows(conn, {"world": world_id}).all()
    named = _CUT_EDGES.rows(conn, {"world": world_id}) if rows else ()
    shown = {row.edge_key: _shown(row.from_node_id, row.to_node_id, row.reason) for row in named}
    found: dict[str, tuple[Cut, ...]] = {}
    for row in rows:
        cut = Cut(ExecutionDomain(row.to_domain), row.edges, shown[row.example])
        found[row.strategy_id] = (*found.get(row.strategy_id, ()), cut)
    return Cuts(off, found)


def save_nodes(conn: Connection, world_id: str, strategy_id: str, node_ids: Collection[str]) -> bool:
    """Store the nodes of a strategy's graph; False if they are those stored."""
    mine = {"world": world_id, "strategy": strategy_id}
    keys = {node_key_of(node_id) for node_id in node_ids}
    off = _CUT_EDGES.ask(conn, {"world": world_id}).rows
    known = set(_NODES_OF.rows(conn, mine).scalars())
    if keys == known:
        return False
    if known:
        _forget(conn, mine, bound_nodes, edge_cuts)
    rows = [{"world_id": world_id, "strategy_id": strategy_id, "node_key": key} for key in sorted(keys)]
    _TELL_NODES.send_each(conn, rows)
    _find_cuts_of(conn, mine, keys, off())
    return True


def version_of(conn: Connection, world_id: str, strategy_id: str) -> str:
    """Digest of a strategy's nodes as bound; empty: they were never told."""
    return _version(tuple(sorted(_NODES_OF.rows(conn, {"world": world_id, "strategy": strategy_id}).scalars())))


def versions_of(conn: Connection, world_id: str) -> Mapping[str, str]:
    """As `version_of`, of every strategy of a world whose nodes are known."""
    found = dict[str, list[int]]()
    for strategy_id, key in _NODES_OF_WORLD.rows(conn, {"world": world_id}):
        found.setdefault(strategy_id, []).append(key)
    return {strategy_id: _version(tuple(sorted(keys))) for strategy_id, keys in found.items()}


def _version(keys: tuple[int, ...]) -> str:
    return digest(canonical_json([str(key) for key in keys])) if keys else ""


def forget_strategy(conn: Connection, world_id: str, strategy_id: str) -> None:
    """Of one that leaves: its nodes, its cuts and what was opened to it."""
    _forget(conn, {"world": world_id, "strategy": strategy_id}, bound_nodes, edge_cuts, edge_openings)


def strategies_without_nodes(conn: Connection, world_id: str) -> frozenset[str]:
    """Strategies that are bound and whose nodes are not known."""
    return frozenset(_UNTOLD.rows(conn, {"world": world_id}).scalars())


def open_edges(conn: Connection, world_id: str, run_id: str, opened: Opened, now: datetime) -> tuple[Opened, Opened]:
    """What an apply opens takes the place of all that was open in the world; what it opened and what it closed.

    What stays open keeps its run.
    """
    known, table = opened_of(conn, world_id), edge_openings
    came, went = _beyond(opened, known), _beyond(known, opened)
    for strategy_id, domains in went.items():
        mine = (table.c.world_id == world_id, table.c.strategy_id == strategy_id)
        conn.execute(sa.delete(table).where(*mine, table.c.execution_domain.in_([d.value for d in domains])))
    rows = [
        {
            "world_id": world_id,
            "strategy_id": strategy_id,
            "execution_domain": domain.value,
            "run_id": run_id,
            "opened_us": micros(now),
        }
        for strategy_id, domains in came.items()
        for domain in domains
    ]
    if rows:
        conn.execute(sa.insert(table), rows)
    return came, went


def _beyond(one: Opened, other: Opened) -> Opened:
    """What the one has and the other has not."""
    found = {name: domains - other.get(name, frozenset()) for name, domains in one.items()}
    return {name: domains for name, domains in found.items() if domains}


def opened_of(conn: Connection, world_id: str) -> Opened:
    """By strategy, the domains whose edges an apply has opened to it."""
    found: dict[str, frozenset[ExecutionDomain]] = {}
    for row in _OPENED.rows(conn, {"world": world_id}):
        found[row.strategy_id] = found.get(row.strategy_id, frozenset()) | {ExecutionDomain(row.execution_domain)}
    return found


def opened_edges(conn: Connection, keys: Sequence[EdgeKey], opened: Opened) -> frozenset[EdgeKey]:
    """Of edges between two domains, those into a domain that is open to a strategy with both ends."""
    anywhere = frozenset[ExecutionDomain]().union(*opened.values())
    found = ((key, _HOLDERS.rows(conn, _ends(key)).scalars()) for key in keys if key.to_domain in anywhere)
    return frozenset(key for key, names in found if any(key.to_domain in opened.get(name, ()) for name in names))


def edge_key_of(key: EdgeKey) -> int:
    """63 bits of a hash over both ends, each with its domain."""
    named = "|".join((key.from_node_id, key.from_domain.value, key.to_node_id, key.to_domain.value))
    return int.from_bytes(blake3(named.encode()).digest()[:8], "big") >> 1


def node_key_of(node_id: str) -> int:
    """63 bits of a NodeID: enough to find it by, half the size of the rest of a row."""
    return int(node_id.removeprefix("blake3:")[:16], 16) >> 1


def _override(row: RowMapping) -> EdgeOverride:
    start, end = ExecutionDomain(row["from_domain"]), ExecutionDomain(row["to_domain"])
    key = EdgeKey(row["world_id"], row["from_node_id"], start, row["to_node_id"], end)
    return EdgeOverride(key, row["active"], row["reason"])


def _edge_values(key: EdgeKey) -> dict[str, str]:
    return {
        "world_id": key.world_id,
        "from_node_id": key.from_node_id,
        "from_domain": key.from_domain.value,
        "to_node_id": key.to_node_id,
        "to_domain": key.to_domain.value,
    }


def _is_edge(key: EdgeKey) -> list[sa.ColumnElement[bool]]:
    return [world_edges.c[name] == value for name, value in _edge_values(key).items()]


def _refuse_one_more(conn: Connection, world_id: str) -> None:
    if _COUNT_CUTS.rows(conn, {"world": world_id}).scalar_one() >= CUTS_MAX:
        raise Exhausted("E_TOO_MANY_ROWS", f"world {world_id} has {CUTS_MAX} edges off, the most it may")


def _is_cut(conn: Connection, key: EdgeKey) -> bool:
    return conn.execute(sa.select(world_edges.c.cuts).where(*_is_edge(key), world_edges.c.cuts)).first() is not None


def _ends(key: EdgeKey) -> dict[str, str | int]:
    return {
        "world": key.world_id,
        "domain": key.to_domain.value,
        "edge": edge_key_of(key),
        "from_key": node_key_of(key.from_node_id),
        "to_key": node_key_of(key.to_node_id),
    }


def _find_cuts_of(conn: Connection, mine: dict[str, str], nodes: Collection[int], off: Rows) -> None:
    """Record which edges that are off a graph has, once its nodes are known."""
    rows = [
        {
            "world_id": mine["world"],
            "strategy_id": mine["strategy"],
            "to_domain": row.to_domain,
            "edge_key": row.edge_key,
        }
        for row in off
        if node_key_of(row.from_node_id) in nodes and node_key_of(row.to_node_id) in nodes
    ]
    if rows:
        conn.execute(sa.insert(edge_cuts), rows)


def _forget(conn: Connection, mine: dict[str, str], *tables: sa.Table) -> None:
    for table in tables:
        where = (table.c.world_id == mine["world"], table.c.strategy_id == mine["strategy"])
        conn.execute(sa.delete(table).where(*where))


def _shown(start: str, end: str, reason: str) -> str:
    return f"{short(start)} -> {short(end)}" + (f" ({reason})" if reason else "")


_W: sa.BindParameter[str] = sa.bindparam("world")
_A, _B = bound_nodes.alias("a"), bound_nodes.alias("b")
_CUT = (world_edges.c.world_id == _W, world_edges.c.cuts)
OFF_IN = sa.select(world_edges.c.to_domain).where(*_CUT).distinct()
_OFF_IN = Prepared(OFF_IN)
_COUNT_CUTS = Prepared(sa.select(sa.func.count()).select_from(world_edges).where(*_CUT))
_CUT_EDGES = Prepared(
    sa.select(
        world_edges.c.edge_key,
        world_edges.c.from_node_id,
        world_edges.c.to_node_id,
        world_edges.c.to_domain,
        world_edges.c.reason,
    ).where(*_CUT)
)
_BY_STRATEGY = (edge_cuts.c.strategy_id, edge_cuts.c.to_domain)
_CUTS_OF = Prepared(
    sa.select(*_BY_STRATEGY, sa.func.count().label("edges"), sa.func.min(edge_cuts.c.edge_key).label("example"))
    .where(edge_cuts.c.world_id == _W)
    .group_by(*_BY_STRATEGY)
    .order_by(*_BY_STRATEGY)
)
_BOTH_ENDS = (
    _A.c.world_id == _W,
    _A.c.node_key == sa.bindparam("from_key"),
    _B.c.world_id == _A.c.world_id,
    _B.c.strategy_id == _A.c.strategy_id,
    _B.c.node_key == sa.bindparam("to_key"),
)
_END_CUTS = sa.delete(edge_cuts).where(edge_cuts.c.world_id == _W, edge_cuts.c.edge_key == sa.bindparam("edge"))
_FIND_CUTS = sa.insert(edge_cuts).from_select(
    ["world_id", "strategy_id", "to_domain", "edge_key"],
    sa.select(
        _A.c.world_id,
        _A.c.strategy_id,
        sa.bindparam("domain", type_=sa.Text),
        sa.bindparam("edge", type_=sa.BigInteger),
    ).where(
        *_BOTH_ENDS,
        ~sa.exists().where(
            edge_cuts.c.world_id == _A.c.world_id,
            edge_cuts.c.strategy_id == _A.c.strategy_id,
            edge_cuts.c.to_domain == sa.bindparam("domain"),
            edge_cuts.c.edge_key == sa.bindparam("edge"),
        ),
    ),
)
_NODES_OF = Prepared(
    sa.select(bound_nodes.c.node_key).where(
        bound_nodes.c.world_id == _W, bound_nodes.c.strategy_id == sa.bindparam("strategy")
    )
)
_NODES_OF_WORLD = Prepared(
    sa.select(bound_nodes.c.strategy_id, bound_nodes.c.node_key).where(bound_nodes.c.world_id == _W)
)
_TELL_NODES = Prepared(sa.insert(bound_nodes))
_UNTOLD = Prepared(
    sa.select(bindings.c.strategy_id).where(
        bindings.c.world_id == _W,
        bindings.c.state == BindingState.ACTIVE.value,
        ~sa.exists().where(
            bound_nodes.c.world_id == bindings.c.world_id, bound_nodes.c.strategy_id == bindings.c.strategy_id
        ),
    )
)
_OPENED = Prepared(
    sa.select(edge_openings.c.strategy_id, edge_openings.c.execution_domain).where(edge_openings.c.world_id == _W)
)
_HOLDERS = Prepared(sa.select(_A.c.strategy_id).where(*_BOTH_ENDS))


def opened_now(conn: Connection, world: World) -> Opened:
    """What applies have opened to whom and the world's policy leaves open."""
    policy = policy_of(conn, world)
    return still_open(opened_of(conn, world.world_id), policy.gating.edges if policy else None)
