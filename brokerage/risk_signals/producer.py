"""Puts snapshots into the risk hub: after fills, at days' ends, and every few minutes. One replica does, by a lease.

A snapshot is stored before it is put, so that a process that ends in between puts the same version again. What the hub
refuses is told and measured anew when it is due again, never sent as it was; while the hub is away it is asked less
and less often.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import structlog

from brokerage.accounts import store as accounts_store
from brokerage.domain.orders.venue_traits import PAPER
from brokerage.market.context import MarketContext
from brokerage.risk_signals import store
from brokerage.risk_signals.hub import RiskHub
from brokerage.risk_signals.measure import Measures
from brokerage.risk_signals.metrics import SignalMetrics
from brokerage.risk_signals.rounds import Key, ScopeBooks, holds, measured, scopes
from brokerage.risk_signals.store import PutState, RiskPut
from brokerage.venues.lease import VenueLease
from qmtl.core.clock import Clock
from qmtl.core.errors import DeadlineExceeded, Exhausted, QmtlError, Unavailable
from qmtl.core.instants import to_ns
from qmtl.sql.database import Database

log = structlog.stdlib.get_logger("qmtl.brokerage.risk_signals")
LEASE = "@risk"
AWAY_MAX_S = 60.0
AS_IT_IS = frozenset({PutState.PENDING, PutState.STORED, PutState.AWAY})
"""What may be put again as it was."""


@dataclass(frozen=True, slots=True)
class Pace:
    """Least time between two puts of a scope after fills, and longest without one, in seconds."""

    after_fill_s: float
    every_s: float


@dataclass(slots=True)
class _Turn:
    """When a scope was last tried, on the monotonic clock, and how long it is left alone while the hub is away."""

    at: float
    wait_s: float = 0.0


class RiskProducer:
    """One contender of those that share a store. `run` ends only when cancelled."""

    def __init__(
        self, db: Database, market: MarketContext, hub: RiskHub, clock: Clock, metrics: SignalMetrics, pace: Pace
    ) -> None:
        self._db = db
        self._hub = hub
        self._clock = clock
        self._metrics = metrics
        self._pace = pace
        self._measures = Measures(market)
        self._turns: dict[Key, _Turn] = {}
        self.lease = VenueLease(db, LEASE, PAPER, clock)

    async def run(self) -> None:
        """Wait for the lease, and put what is due while it is held."""
        try:
            while True:
                held = await (self.lease.renew() if self.lease.left_s else self.lease.acquire())
                if held:
                    await self.round()
                else:
                    self._turns.clear()
                await self._clock.sleep(min(self._pace.after_fill_s, self.lease.renew_s))
        finally:
            await self.lease.release()

    async def round(self) -> None:
        """Put what is due now; the lease is renewed before each. The first try of a scope puts what was stored last."""
        now_ns = to_ns(self._clock.now())
        known = await self._db.read(store.load_puts)
        found = await self._db.read(lambda conn: scopes(conn, now_ns))
        for gone in known.keys() - found.keys():
            await self._db.write(lambda conn, gone=gone: store.remove_put(conn, *gone))  # type: ignore[misc]  # bound now
        for key, books in found.items():
            last = known.get(key)
            if self._is_due(key, books, last):
                if not await self.lease.renew():
                    return
                await self._take_turn(books, last)
        puts = await self._db.read(store.load_puts)
        self._metrics.failing.set(sum(one.failed_since_ns > 0 for one in puts.values()))

    def _is_due(self, key: Key, books: ScopeBooks, last: RiskPut | None) -> bool:
        turn = self._turns.get(key)
        if turn is None or last is None:
            return True
        past_s = self._clock.monotonic() - turn.at
        if turn.wait_s:
            return past_s >= turn.wait_s
        return past_s >= (self._pace.every_s if books.mark == last.mark else self._pace.after_fill_s)

    async def _take_turn(self, books: ScopeBooks, last: RiskPut | None) -> None:
        key, now_ns = books.key, to_ns(self._clock.now())
        turn = self._turns.get(key)
        again = turn is None or turn.wait_s > 0
        self._turns[key] = _Turn(self._clock.monotonic(), 0.0 if turn is None else turn.wait_s)
        if again and last is not None and last.mark == books.mark and last.state in AS_IT_IS and holds(last, now_ns):
            await self._put(last, last, now_ns)
            return
        try:
            put = await self._measure(books, now_ns)
        except (Unavailable, Exhausted, DeadlineExceeded) as error:
            blank = RiskPut(*key, "", b"", books.mark, PutState.AWAY)
            await self._settle(replace(blank, detail=_told(error)), last, now_ns)
            return
        await self._put(put, last, now_ns)

    async def _measure(self, books: ScopeBooks, now_ns: int) -> RiskPut:
        accounts = await self._db.read(lambda conn: [accounts_store.account(conn, name) for name in books.accounts])
        shares = {one.account: await self._hub.shares(one) for one in accounts}
        return await self._db.read(lambda conn: measured(conn, self._measures, books, now_ns, shares))

    async def _put(self, put: RiskPut, last: RiskPut | None, now_ns: int) -> None:
        """Store, then put, then store what became of it."""
        if put.state is PutState.UNMEASURED:
            await self._settle(put, last, now_ns)
            return
        since_ns = 0 if last is None else last.failed_since_ns
        pending = replace(put, state=PutState.PENDING, failed_since_ns=since_ns)
        await self._db.write(lambda conn: store.save_put(conn, pending))
        try:
            had = await self._hub.put(put.scope, put.content)
        except (Unavailable, Exhausted, DeadlineExceeded) as error:
            await self._settle(replace(put, state=PutState.AWAY, detail=_told(error)), last, now_ns)
        except QmtlError as error:
            await self._settle(replace(put, state=PutState.REFUSED, detail=_told(error)), last, now_ns)
        else:
            await self._settle(replace(put, state=PutState.STORED, detail=""), last, now_ns, had=had)

    async def _settle(self, put: RiskPut, last: RiskPut | None, now_ns: int, *, had: bool = False) -> None:
        """Store and tell what became of a snapshot."""
        turn, state = self._turns[put.scope, put.stage], put.state
        turn.wait_s = 0.0
        failed = state is not PutState.STORED
        since_ns = (now_ns if last is None else last.failed_since_ns or now_ns) if failed else 0
        if state is PutState.AWAY:
            failures_s = (now_ns - since_ns) / 1e9
            turn.wait_s = min(max(failures_s, self._pace.after_fill_s), AWAY_MAX_S)
        await self._db.write(
            lambda conn: store.save_put(conn, replace(put, changed_ns=now_ns, failed_since_ns=since_ns))
        )
        self._metrics.puts.labels("deduplicated" if had else state.value.lower()).inc()
        same = last is not None and (last.state, last.detail) == (state, put.detail)
        if failed and not (same and state is not PutState.REFUSED):
            told = {"scope": put.scope, "stage": put.stage, "version": put.version, "detail": put.detail}
            log.warning(f"risk_snapshot_{state.value.lower()}", **told)
        elif not failed and last is not None and last.failed_since_ns:
            log.info("risk_snapshot_stored", scope=put.scope, stage=put.stage, version=put.version)


def _told(error: QmtlError) -> str:
    return f"{error.reason}: {error.message}"
