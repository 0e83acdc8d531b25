"""What is due in a round: which scopes there are, where their books stand, and what they come to. Calls nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import Account
from brokerage.domain.measures.scope import ScopeMeasure, ShareSet, measure_account, measure_world
from brokerage.domain.orders.venue_traits import PAPER
from brokerage.risk_signals.measure import Measures, through_day
from brokerage.risk_signals.store import PutState, RiskPut
from brokerage.risk_signals.wire import TTL, snapshot_to_proto
from qmtl.core.errors import QmtlError
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.wire.instants import ns_from_proto

Key = tuple[str, str]
"""A scope, and PAPER or LIVE."""


@dataclass(frozen=True, slots=True)
class ScopeBooks:
    """A scope's accounts of one stage, by name, and where their books stand: it moves with fills, payments and days."""

    key: Key
    accounts: tuple[str, ...]
    mark: str


def scopes(conn: Connection, now_ns: int) -> dict[Key, ScopeBooks]:
    """Each account, and each world in its accounts of one stage."""
    found: dict[Key, list[Account]] = {}
    accounts = accounts_store.accounts(conn)
    worlds = accounts_store.worlds_of(conn, [one.account for one in accounts])
    for account in accounts:
        stage = "PAPER" if account.venue == PAPER.name else "LIVE"
        found[f"account:{account.account}", stage] = [account]
        for world_id in worlds[account.account]:
            found.setdefault((f"world:{world_id}", stage), []).append(account)
    return {
        key: ScopeBooks(key, tuple(one.account for one in given), ",".join(_place(one, now_ns) for one in given))
        for key, given in sorted(found.items())
    }


def _place(account: Account, now_ns: int) -> str:
    return f"{account.fill_sequence}@{through_day(account, now_ns)}"


def measured(
    conn: Connection, measures: Measures, books: ScopeBooks, now_ns: int, shares: Mapping[str, tuple[ShareSet, ...]]
) -> RiskPut:
    """The snapshot of a scope, not put yet; where it cannot be measured, why."""
    scope, stage = books.key
    try:
        parts = [
            measures.account(conn, accounts_store.account(conn, name), now_ns, shares.get(name, ()))
            for name in books.accounts
        ]
        kind, _, name = scope.partition(":")
        found: ScopeMeasure = measure_world(name, parts) if kind == "world" else measure_account(parts[0])
    except QmtlError as error:
        told = f"{error.reason}: {error.message}"
        return RiskPut(scope, stage, "", b"", books.mark, PutState.UNMEASURED, told, now_ns)
    message = snapshot_to_proto(found)
    content = message.SerializeToString(deterministic=True)
    return RiskPut(scope, stage, message.version, content, books.mark, PutState.PENDING, "", now_ns)


def holds(put: RiskPut, now_ns: int) -> bool:
    """Whether a snapshot may be put as it is: there is one, and the hub would not find it expired."""
    if not put.content:
        return False
    as_of_ns = ns_from_proto(riskpb.RiskSnapshot.FromString(put.content).as_of, "as_of")
    return now_ns < as_of_ns + int(TTL.total_seconds()) * 1_000_000_000
