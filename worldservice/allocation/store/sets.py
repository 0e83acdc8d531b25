"""Rows of shares and of the budgets that follow them. An account's budget row is its lock."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import sqlalchemy as sa
from sqlalchemy import Connection, RowMapping

from qmtl.core.errors import NotFound
from qmtl.core.paging import Page
from qmtl.sql.instants import instant, micros
from worldservice.allocation.domain.shares import AllocationSet, Owner, Shares, Terms
from worldservice.allocation.tables import allocation_budgets, allocation_sets

_BUDGETS = allocation_budgets.c
_NEW = sa.text(
    "INSERT INTO allocation_budgets (account, set_revision, sent_revision, equity, leverage_max, day)"
    " VALUES (:account, 0, 0, '', '1', 0) ON CONFLICT DO NOTHING"
)


@dataclass(frozen=True, slots=True)
class BudgetState:
    """Which set an account's budgets are to follow, and of which brokerage has them; `equity` None: none were made."""

    account: str
    set_revision: int
    sent_revision: int
    equity: Fraction | None
    leverage_max: Fraction
    day: int

    @property
    def is_pending(self) -> bool:
        """Whether brokerage does not have the newest."""
        return self.sent_revision < self.set_revision


def lock_account(conn: Connection, account: str) -> BudgetState:
    """An account's state of budgets, made if there is none, and locked until the transaction ends."""
    conn.execute(_NEW, {"account": account})
    query = sa.select(allocation_budgets).where(_BUDGETS.account == account).with_for_update()
    return _state(conn.execute(query).mappings().one())


def budget_state(conn: Connection, account: str) -> BudgetState | None:
    """An account's state of budgets."""
    row = conn.execute(sa.select(allocation_budgets).where(_BUDGETS.account == account)).mappings().one_or_none()
    return None if row is None else _state(row)


def budget_states(conn: Connection) -> list[BudgetState]:
    """Those of all accounts that have shares, by name."""
    query = sa.select(allocation_budgets).where(_BUDGETS.set_revision > 0).order_by(_BUDGETS.account)
    return [_state(row) for row in conn.execute(query).mappings()]


def save_budget_state(conn: Connection, state: BudgetState) -> None:
    """Store how far budgets have come."""
    values = {
        "set_revision": state.set_revision,
        "sent_revision": state.sent_revision,
        "equity": "" if state.equity is None else str(state.equity),
        "leverage_max": str(state.leverage_max),
        "day": state.day,
    }
    conn.execute(sa.update(allocation_budgets).where(_BUDGETS.account == state.account).values(values))


def insert_set(conn: Connection, found: AllocationSet) -> None:
    """A second set of one revision breaks the key, whatever was checked before."""
    values = {
        "account": found.account,
        "revision": found.revision,
        "run_id": found.run_id,
        "document": json.dumps(_document(found), sort_keys=True),
        "created_us": micros(found.created_at),
    }
    conn.execute(sa.insert(allocation_sets).values(values))


def set_of_run(conn: Connection, account: str, run_id: str) -> AllocationSet | None:
    """The set that a request recorded."""
    where = (allocation_sets.c.account == account, allocation_sets.c.run_id == run_id)
    row = conn.execute(sa.select(allocation_sets).where(*where)).mappings().one_or_none()
    return None if row is None else _set(row)


def newest_set(conn: Connection, account: str) -> AllocationSet | None:
    """The set in force."""
    query = sa.select(allocation_sets).where(allocation_sets.c.account == account)
    row = conn.execute(query.order_by(allocation_sets.c.revision.desc()).limit(1)).mappings().one_or_none()
    return None if row is None else _set(row)


def get_set(conn: Connection, account: str, revision: int) -> AllocationSet:
    """A set of a revision, 0 for the newest. Raises NotFound (E_ALLOCATION_UNKNOWN)."""
    where = (allocation_sets.c.account == account, allocation_sets.c.revision == revision)
    row = conn.execute(sa.select(allocation_sets).where(*where)).mappings().one_or_none() if revision else None
    found = newest_set(conn, account) if not revision else None if row is None else _set(row)
    if found is None:
        which = f"revision {revision} of shares" if revision else "shares"
        raise NotFound("E_ALLOCATION_UNKNOWN", f"account {account} has no {which}")
    return found


def list_sets(conn: Connection, account: str, page: Page[tuple[int]]) -> Sequence[AllocationSet]:
    """Newest first, one more than the page shows."""
    query = sa.select(allocation_sets).where(allocation_sets.c.account == account)
    if page.after is not None:
        query = query.where(allocation_sets.c.revision < page.after[0])
    query = query.order_by(allocation_sets.c.revision.desc()).limit(page.size + 1)
    return [_set(row) for row in conn.execute(query).mappings()]


def share_in_world(conn: Connection, world_id: str, strategy_id: str) -> float | None:
    """A strategy's share of its world's capital, by the sets in force: of several accounts the most. None: no account
    has a set that names the world, or none that names a strategy of it.
    """
    found = []
    for state in budget_states(conn):
        kept = newest_set(conn, state.account)
        whole = None if kept is None else kept.shares.world(world_id)
        if kept is None or not whole:
            continue
        if any(owner.world_id == world_id and not owner.is_hedge for owner in kept.shares.strategies):
            found.append(float(kept.shares.strategy(Owner(world_id, strategy_id)) / whole))
    return max(found, default=None)


def _document(found: AllocationSet) -> dict[str, object]:
    return {
        "worlds": {world_id: str(share) for world_id, share in found.shares.worlds.items()},
        "strategies": [[*owner, str(share)] for owner, share in sorted(found.shares.strategies.items())],
        "cash_buffer": str(found.terms.cash_buffer),
        "two_person": found.terms.two_person,
        "reason": found.reason,
        "actor": found.actor,
        "content": found.content,
    }


def _set(row: RowMapping) -> AllocationSet:
    told = json.loads(row["document"])
    worlds = {world_id: Fraction(share) for world_id, share in told["worlds"].items()}
    strategies = {Owner(world, strategy): Fraction(share) for world, strategy, share in told["strategies"]}
    return AllocationSet(
        row["account"],
        row["revision"],
        row["run_id"],
        Shares(worlds, strategies),
        Terms(Fraction(told["cash_buffer"]), told["two_person"]),
        told["reason"],
        told["actor"],
        instant(row["created_us"]),
        told["content"],
    )


def _state(row: RowMapping) -> BudgetState:
    equity = Fraction(row["equity"]) if row["equity"] else None
    return BudgetState(
        row["account"], row["set_revision"], row["sent_revision"], equity, Fraction(row["leverage_max"]), row["day"]
    )
