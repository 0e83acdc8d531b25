"""Edges in the store, on SQLite and on PostgreSQL: overrides, nodes, cuts, openings, and what the old table held."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection

from qmtl.core.errors import Exhausted, NotFound
from qmtl.core.limits import RiskLimits
from qmtl.core.modes import EffectiveMode, ExecutionDomain
from qmtl.core.paging import Page
from qmtl.sql.database import Database
from tests.worldservice.samples import NOW, binding, world
from worldservice.activation.domain.activation import empty
from worldservice.activation.domain.operator_changes import Change, change_activation
from worldservice.activation.store import activations
from worldservice.graph.domain.edges import Cut
from worldservice.graph.domain.nodes import EdgeKey, EdgeOverride
from worldservice.graph.store import edges
from worldservice.policy.domain.trading_terms import Terms
from worldservice.worlds.domain.binding import Side, Stage
from worldservice.worlds.store import bindings, worlds

A, B, C, D = (f"blake3:{letter * 64}" for letter in "abcd")
BACKTEST, DRYRUN, LIVE = ExecutionDomain.BACKTEST, ExecutionDomain.DRYRUN, ExecutionDomain.LIVE


def key(start: str, end: str, into: ExecutionDomain = DRYRUN, begins: ExecutionDomain | None = None) -> EdgeKey:
    return EdgeKey("alpha", start, begins or into, end, into)


def off(start: str, end: str, into: ExecutionDomain = DRYRUN, reason: str = "why") -> EdgeOverride:
    return EdgeOverride(key(start, end, into), False, reason)


@pytest.fixture
async def db(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url, synchronous="NORMAL")
    await database.migrate("worldservice:migrations")
    yield database
    await database.close()


async def test_overrides_come_out_as_they_went_in_and_page_by_their_key(db: Database) -> None:
    overrides = [
        off(A, B, BACKTEST),
        EdgeOverride(key(A, B, LIVE, BACKTEST), True, ""),
        off(A, B, LIVE),
        EdgeOverride(key(B, A), True, "on again"),
    ]

    def fill(conn: Connection) -> None:
        for override in overrides:
            edges.save_override(conn, replace(override, reason="first"))
        for override in overrides:
            edges.save_override(conn, override)
        edges.save_override(conn, replace(overrides[0], key=replace(overrides[0].key, world_id="beta")))

    await db.write(fill)
    found: list[EdgeOverride] = []
    page: Page[tuple[str, str, str, str]] = Page(1)
    while rows := await db.read(lambda conn: edges.list_overrides(conn, "alpha", page)):  # noqa: B023 - run at once
        found.append(rows[0])
        page = Page(1, edges.override_key(rows[0]))
    assert sorted(found, key=str) == sorted(overrides, key=str)
    await db.write(lambda conn: edges.delete_override(conn, overrides[0].key))
    with pytest.raises(NotFound):
        await db.write(lambda conn: edges.delete_override(conn, overrides[0].key))


async def test_a_cut_is_found_in_the_graphs_that_have_both_its_ends(db: Database) -> None:
    def fill(conn: Connection) -> None:
        for name, nodes in (("both", [A, B, C]), ("one", [A, C]), ("none", [D]), ("many", [A, B, C, D])):
            assert edges.save_nodes(conn, "alpha", name, nodes)
        edges.save_override(conn, off(A, B))
        edges.save_override(conn, off(B, C, DRYRUN, ""))
        edges.save_override(conn, off(C, D, LIVE))
        edges.save_override(conn, EdgeOverride(key(A, C), True, ""))  # on takes nothing
        edges.save_override(conn, EdgeOverride(key(A, C, LIVE, BACKTEST), False, ""))  # off without it too
        edges.save_override(conn, replace(off(A, D), key=replace(key(A, D), world_id="beta")))

    assert await db.read(lambda conn: edges.cuts_of(conn, "alpha")) == edges.Cuts(frozenset(), {})
    await db.write(fill)
    cuts = await db.read(lambda conn: edges.cuts_of(conn, "alpha"))
    assert cuts.off == {DRYRUN, LIVE}
    two = Cut(DRYRUN, 2, "blake3:bbbbbbbbbbbb -> blake3:cccccccccccc")
    one = Cut(LIVE, 1, "blake3:cccccccccccc -> blake3:dddddddddddd (why)")
    assert cuts.of == {"both": (two,), "many": (two, one)}


@pytest.mark.parametrize("seed", range(4))
async def test_whatever_happens_the_cuts_are_those_of_the_graphs_and_edges_there_are(db: Database, seed: int) -> None:
    """Against all pairs, tried one by one."""
    rng = random.Random(seed)
    graphs: dict[str, set[str]] = {}
    overrides: dict[EdgeKey, EdgeOverride] = {}
    for _ in range(120):
        name, (start, end) = rng.choice("stu"), rng.sample([A, B, C, D], 2)
        edge = key(start, end, rng.choice([BACKTEST, DRYRUN, LIVE]), rng.choice([None, None, BACKTEST]))
        match rng.randrange(5):
            case 0:
                graphs[name] = set(rng.sample([A, B, C, D], rng.randint(1, 4)))
                await db.write(lambda conn: edges.save_nodes(conn, "alpha", name, graphs[name]))  # noqa: B023
            case 1:
                graphs.pop(name, None)
                await db.write(lambda conn: edges.forget_strategy(conn, "alpha", name))  # noqa: B023
            case 2 if overrides:
                gone = rng.choice(sorted(overrides, key=str))
                del overrides[gone]
                await db.write(lambda conn: edges.delete_override(conn, gone))  # noqa: B023
            case _:
                overrides[edge] = EdgeOverride(edge, rng.random() < 0.4, "")
                await db.write(lambda conn: edges.save_override(conn, overrides[edge]))  # noqa: B023
        found = await db.read(lambda conn: edges.cuts_of(conn, "alpha"))
        off = [each.key for each in overrides.values() if each.cuts]
        wanted = {
            (who, into): sum(each.to_domain is into and {each.from_node_id, each.to_node_id} <= nodes for each in off)
            for who, nodes in graphs.items()
            for into in (BACKTEST, DRYRUN, LIVE)
        }
        counted = {(who, one.domain): one.edges for who, several in found.of.items() for one in several}
        assert counted == {pair: count for pair, count in wanted.items() if count}
        assert found.off == {each.to_domain for each in off}


async def test_nodes_are_told_once_and_anew(db: Database) -> None:
    assert await db.write(lambda conn: edges.save_nodes(conn, "alpha", "s", [A, B]))
    assert not await db.write(lambda conn: edges.save_nodes(conn, "alpha", "s", [B, A]))
    assert await db.write(lambda conn: edges.save_nodes(conn, "alpha", "s", [B, C]))

    def untold(conn: Connection) -> frozenset[str]:
        for name in ("s", "t"):
            bindings.save_binding(conn, binding(name))
        return edges.strategies_without_nodes(conn, "alpha")

    assert await db.write(untold) == {"t"}
    await db.write(lambda conn: edges.forget_strategy(conn, "alpha", "s"))
    assert await db.read(lambda conn: edges.strategies_without_nodes(conn, "alpha")) == {"s", "t"}


async def test_what_an_apply_opens_takes_the_place_of_what_was_open(db: Database) -> None:
    first = {"s": frozenset({DRYRUN, LIVE}), "t": frozenset({DRYRUN})}
    assert await db.write(lambda conn: edges.open_edges(conn, "alpha", "r1", first, NOW)) == (first, {})
    assert await db.read(lambda conn: edges.opened_of(conn, "alpha")) == first
    second = {"s": frozenset({DRYRUN}), "u": frozenset({DRYRUN})}
    moved = await db.write(lambda conn: edges.open_edges(conn, "alpha", "r2", second, NOW))
    assert moved == ({"u": frozenset({DRYRUN})}, {"s": frozenset({LIVE}), "t": frozenset({DRYRUN})})
    assert await db.read(lambda conn: edges.opened_of(conn, "alpha")) == second
    assert not await db.read(lambda conn: edges.opened_of(conn, "beta"))
    query = sa.text("SELECT strategy_id, run_id FROM edge_openings ORDER BY strategy_id")
    assert await db.read(lambda conn: [tuple(row) for row in conn.execute(query)]) == [("s", "r1"), ("u", "r2")]


async def test_an_edge_between_domains_is_open_to_a_strategy_that_has_both_ends(db: Database) -> None:
    crossing = key(A, B, LIVE, BACKTEST)

    def opened(conn: Connection) -> frozenset[EdgeKey]:
        return edges.opened_edges(conn, [crossing, key(A, C, LIVE, BACKTEST)], edges.opened_of(conn, "alpha"))

    await db.write(lambda conn: edges.save_nodes(conn, "alpha", "s", [A, B]))
    await db.write(lambda conn: edges.save_nodes(conn, "alpha", "t", [A, C]))
    await db.write(lambda conn: edges.open_edges(conn, "alpha", "r", {"s": frozenset({DRYRUN})}, NOW))
    assert await db.read(opened) == frozenset()
    await db.write(lambda conn: edges.open_edges(conn, "alpha", "r", {"s": frozenset({DRYRUN, LIVE})}, NOW))
    assert await db.read(opened) == {crossing}


async def test_so_many_edges_may_be_off_and_no_more(db: Database) -> None:
    def fill(conn: Connection) -> None:
        for number in range(edges.CUTS_MAX):
            edges.save_override(conn, off(f"blake3:{number:064x}", A))

    await db.write(fill)
    await db.write(lambda conn: edges.save_override(conn, off(f"blake3:{0:064x}", A, DRYRUN, "again")))
    await db.write(lambda conn: edges.save_override(conn, EdgeOverride(key(B, A), True, "")))
    with pytest.raises(Exhausted, match="E_TOO_MANY_ROWS"):
        await db.write(lambda conn: edges.save_override(conn, off(B, A)))


async def test_where_no_edge_is_off_the_overrides_there_are_cost_nothing(db: Database) -> None:
    """The index is the one the statement is answered by."""

    def plan(conn: Connection) -> str:
        for number in range(2000):  # so that the planner has a choice
            edges.save_override(conn, EdgeOverride(key(f"blake3:{number:064x}", A), True, ""))
        sqlite = conn.dialect.name == "sqlite"
        if not sqlite:
            conn.execute(sa.text("ANALYZE world_edges"))
        statement = edges.OFF_IN.compile(conn, compile_kwargs={"render_postcompile": True})
        how = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
        return str(conn.exec_driver_sql(how + str(statement), ("alpha",) if sqlite else {"world": "alpha"}).all())

    assert "world_edges_cuts" in await db.write(plan)


async def test_a_read_beside_writes_sees_one_state(db: Database) -> None:
    """What is found off has a row to be shown by, whoever switches it meanwhile."""
    await db.write(lambda conn: edges.save_nodes(conn, "alpha", "s", [A, B]))

    async def flip() -> None:
        for _ in range(60):
            await db.write(lambda conn: edges.save_override(conn, off(A, B)))
            await db.write(lambda conn: edges.delete_override(conn, off(A, B).key))

    async def look() -> None:
        for _ in range(200):
            cuts = await db.read(lambda conn: edges.cuts_of(conn, "alpha"))
            assert bool(cuts.off) is bool(cuts.of)

    await asyncio.gather(flip(), look(), look(), look())


async def test_limits_of_a_fence_survive(db: Database) -> None:
    limits = RiskLimits(Decimal("2500.50"), None, Decimal("0.00000001"), Decimal(10**17), None)
    change = Change("s", Side.LONG, active=True, stage=Stage.PAPER)
    limited, _ = change_activation(
        empty("alpha", NOW), [change], {"s": binding("s")}, lambda *_: EffectiveMode.PAPER, NOW, Terms((), limits)
    )
    assert limited.fence.limits == limits
    await db.write(lambda conn: worlds.insert_world(conn, world()))
    await db.write(lambda conn: activations.save_activation(conn, limited))
    assert await db.read(lambda conn: activations.load_activation(conn, "alpha", NOW)) == limited
