"""A plan from what is stored and what brokerage says: the door to the pure `plan_of`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from fractions import Fraction

from sqlalchemy import Connection

from qmtl.core.errors import refused
from qmtl.core.modes import EffectiveMode
from qmtl.sql.database import Database
from worldservice.activation.domain.activation import Activation, Entry, EntryStanding, FenceState, standing
from worldservice.activation.store.activations import load_activation
from worldservice.allocation.broker_accounts import AccountFacts, BrokerAccounts
from worldservice.allocation.domain.budgets import Budget, budgets_of
from worldservice.allocation.domain.plan import Plan, Rules, Standing, plan_of
from worldservice.allocation.domain.scaling import Scales, ShareChange, ratio
from worldservice.allocation.domain.shares import OVERLAY, Owner, Shares
from worldservice.allocation.domain.trading.constraints import constraints_of
from worldservice.allocation.domain.trading.overlay import Proxy
from worldservice.allocation.hub import PlanRisk, plan_risk
from worldservice.allocation.store import sets
from worldservice.allocation.wire.request import WantedPlan
from worldservice.risk.files import SnapshotFiles
from worldservice.risk.reading import NO_FILES
from worldservice.worlds.domain.binding import Side
from worldservice.worlds.store.worlds import find_world

SIDES = {Side.LONG: 1, Side.SHORT: -1}
TRADING = (EffectiveMode.PAPER, EffectiveMode.LIVE)


@dataclass(frozen=True, slots=True)
class _Stored:
    """What is stored for a plan: the change of shares, activations of the account's worlds, the set in force."""

    scales: Scales
    changes: dict[str, Fraction]
    standing: dict[tuple[Owner, int], Standing]
    newest: Shares | None
    budgets: sets.BudgetState | None


@dataclass(frozen=True, slots=True)
class Planner:
    """Plans for the servicer; reads only."""

    db: Database
    broker: BrokerAccounts
    files: SnapshotFiles = NO_FILES

    async def plan(self, wanted: WantedPlan, now: datetime) -> Plan:
        """The plan of now. Raises what `plan_of` raises, NotFound, Unavailable."""
        facts = await self.broker.facts(wanted.account)
        places = _places(wanted.proxies, facts)
        traded = await self.broker.traded_book(facts, now, {symbol for _, symbol in places.values()})
        stored = await self.db.read(lambda conn: _load(conn, wanted, facts, now))
        budgets: tuple[Budget, ...] = ()
        if stored.newest is not None and stored.budgets is not None and stored.budgets.equity is not None:
            budgets = budgets_of(stored.newest.over(facts.worlds), stored.budgets.equity, stored.budgets.leverage_max)
        constraints = constraints_of(wanted.rows, traded.instruments)
        proxies = {world: Proxy(*at, traded.marks.get(at[1])) for world, at in places.items()}
        asked = wanted.asked(stored.scales, stored.changes, proxies)
        found = plan_of(traded.book, asked, Rules(constraints, stored.standing, budgets), traded.now)
        return found if traded.now == now else _at(found, now, asked.valid_for)

    async def risk(self, plan: Plan, now: datetime) -> PlanRisk:
        """Risk of the account before and after a plan, by the hub's snapshot of now."""
        return await self.db.read(lambda conn: plan_risk(conn, plan, now, self.files))


def _places(proxies: Mapping[str, tuple[str, str]], facts: AccountFacts) -> dict[str, tuple[str, str]]:
    """Venue and symbol of each world's proxy. Raises InvalidRequest (E_OVERLAY_PROXY): the account has one venue."""
    for world_id, (venue, symbol) in proxies.items():
        if venue not in ("", facts.venue):
            raise refused("E_OVERLAY_PROXY", f"proxies[{world_id}]", f"{symbol} at {venue}", f"one at {facts.venue}")
    return {world_id: (facts.venue, symbol) for world_id, (_, symbol) in proxies.items()}


def _at(plan: Plan, now: datetime, valid_for: timedelta) -> Plan:
    """A plan of a replayed account is valid by our clock, not by the account's."""
    return replace(plan, created_at=now, valid_until=now + valid_for)


def _load(conn: Connection, wanted: WantedPlan, facts: AccountFacts, now: datetime) -> _Stored:
    scales: Scales = wanted.explicit
    changes = dict(wanted.explicit.worlds)
    if wanted.revisions is not None:
        first, last = wanted.revisions
        before = sets.get_set(conn, facts.account, first).shares if first else Shares()
        after = sets.get_set(conn, facts.account, last).shares
        scales = ShareChange(before, after)
        changes = {world: ratio(before.world(world), after.world(world)) for world in facts.worlds}
    newest = sets.newest_set(conn, facts.account)
    return _Stored(
        scales,
        changes,
        standing_of(conn, facts.worlds, now),
        None if newest is None else newest.shares,
        sets.budget_state(conn, facts.account),
    )


def standing_of(conn: Connection, worlds: Iterable[str], now: datetime) -> dict[tuple[Owner, int], Standing]:
    """Who may take new risk on which side, or why not; who is not named may not. A world's hedge may on either while
    any strategy of the world may on one.
    """
    found: dict[tuple[Owner, int], Standing] = {}
    for world_id in worlds:
        world = find_world(conn, world_id)
        if world is not None:
            activation = load_activation(conn, world_id, world.created_at)
            for entry in activation.entries:
                owner = Owner(world_id, entry.strategy_id)
                found[owner, SIDES[entry.side]] = _standing(activation, entry, now)
            mine = {state for (owner, _), state in found.items() if owner.world_id == world_id}
            widest = next((one for one in (Standing.OPEN, Standing.FENCED) if one in mine), Standing.NOT_ACTIVE)
            found |= {(Owner(world_id, OVERLAY), side): widest for side in SIDES.values()}
    return found


def _standing(activation: Activation, entry: Entry, now: datetime) -> Standing:
    if standing(entry, now) is not EntryStanding.ACTIVE or entry.effective_mode not in TRADING:
        return Standing.NOT_ACTIVE
    return Standing.OPEN if activation.fence.state is FenceState.OPEN else Standing.FENCED
