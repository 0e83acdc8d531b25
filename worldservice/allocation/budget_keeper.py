"""Keeps the budgets in brokerage at each account's shares: sent before the answer, and again until they are there.

Equity is that of the account when a UTC day was first seen; budgets follow at the next day, and at once where equity
has fallen by more than 5 %. Budgets join the limits that people put for the account: one row, one revision and one
sender have both, so that neither undoes the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import structlog
from sqlalchemy import Connection

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.core.clock import Clock
from qmtl.core.errors import QmtlError
from qmtl.core.tasks.rounds import Rounds
from qmtl.sql.database import Database
from worldservice.allocation.broker_accounts import AccountFacts, BrokerAccounts, gross_of
from worldservice.allocation.domain.amounts import cut, fraction_of, text_of
from worldservice.allocation.domain.budgets import Budget, budgets_of, follows_at_once
from worldservice.allocation.store import sets
from worldservice.metrics import WorldMetrics
from worldservice.risk.account_limits import LimitsSender, put_budgets, put_limits
from worldservice.risk.store.account_limits import lock_limits
from worldservice.worlds.acts import own_act
from worldservice.worlds.domain.roles import account_scope

ROUND_S = 30.0
RETRY_S = 2.0
DAY_S = 86_400
BUDGET_PLACES = 2
log = structlog.stdlib.get_logger("qmtl.worldservice.allocation")


class BudgetKeeper:
    """One per process; several on one store agree, because brokerage takes a revision once."""

    def __init__(
        self, db: Database, broker: BrokerAccounts, sender: LimitsSender, clock: Clock, metrics: WorldMetrics
    ) -> None:
        self._db = db
        self._broker = broker
        self._sender = sender
        self._clock = clock
        self._metrics = metrics
        self._rounds = Rounds(clock, retry_s=RETRY_S, retry_max_s=RETRY_S, rest_s=ROUND_S)

    async def push(self, account: str) -> bool:
        """Send an account's budgets; True once brokerage has them, False if it could not be told."""
        try:
            return await self._send(account)
        except QmtlError as error:
            log.warning("budgets_pending", account=account, error=str(error))
            self._rounds.wake()
            return False

    async def run(self) -> None:
        """Follow equity and retry what is pending until cancelled."""
        await self._rounds.run(self.round)

    async def round(self) -> bool:
        """Look at every account with shares once; False while brokerage lacks budgets of some."""
        try:
            states = await self._db.read(sets.budget_states)
        except QmtlError as error:
            log.warning("budgets_unread", error=str(error))
            return False
        pending = 0
        for state in states:
            self._metrics.allocation_revision.labels(state.account).set(state.set_revision)
            if not await self._follows(state):
                pending += 1
        self._metrics.budgets_pending.set(pending)
        return not pending

    async def _follows(self, state: sets.BudgetState) -> bool:
        """Whether the budgets of an account are as they should be, after sending them where they were not."""
        if state.is_pending or state.equity is None or state.day != self._today():
            return await self.push(state.account)
        try:
            portfolio = await self._broker.portfolio(state.account)
        except QmtlError as error:
            log.warning("equity_unread", account=state.account, error=str(error))
            return True
        await self._note_use(state, portfolio)
        if follows_at_once(state.equity, fraction_of(portfolio.equity or "0", "equity")):
            return await self._resample(state.account)
        return True

    async def _note_use(self, state: sets.BudgetState, portfolio: portfoliopb.Portfolio) -> None:
        """How much of its budget each world uses; one with a budget of 0 has no ratio."""
        kept = await self._db.read(lambda conn: sets.newest_set(conn, state.account))
        if kept is None or state.equity is None:
            return
        used: dict[str, Fraction] = {}
        for owner, money in gross_of(portfolio):
            if not owner.is_hedge:
                used[owner.world_id] = used.get(owner.world_id, Fraction(0)) + money
        for budget in budgets_of(kept.shares, state.equity, state.leverage_max):
            if not budget.strategy_id and budget.gross_max:
                ratio = used.get(budget.world_id, Fraction(0)) / budget.gross_max
                self._metrics.capital_utilisation.labels(state.account, budget.world_id).set(float(ratio))

    async def _resample(self, account: str) -> bool:
        """Forget the day's equity, so that the next budgets are made of what is there now."""
        await self._db.write(lambda conn: _forget_day(conn, account))
        return await self.push(account)

    async def _send(self, account: str) -> bool:
        state = await self._db.read(lambda conn: sets.budget_state(conn, account))
        if state is None or not state.set_revision:
            return True
        found = await self._db.read(lambda conn: sets.get_set(conn, account, state.set_revision))
        facts = await self._broker.facts(account)
        equity = state.equity
        if equity is None or state.day != self._today():
            equity = fraction_of((await self._broker.portfolio(account)).equity or "0", "equity")
        budgets = _budgets_to_proto(budgets_of(found.shares.over(facts.worlds), equity, facts.leverage_max))
        made = replace(state, equity=equity, leverage_max=facts.leverage_max, day=self._today())
        if not await self._db.write(lambda conn: self._put(conn, made, facts, budgets)):
            return False  # the shares moved on meanwhile: whoever set them sends theirs
        if not await self._sender.push(account):
            self._rounds.wake()
            return False
        return await self._db.write(lambda conn: _sent(conn, account, found.revision))

    def _put(
        self, conn: Connection, made: sets.BudgetState, facts: AccountFacts, budgets: Sequence[accountpb.AccountBudget]
    ) -> bool:
        """Budgets beside the account's limits; those that it was opened with are taken over once."""
        now = sets.lock_account(conn, made.account)
        if now.set_revision != made.set_revision:
            return False
        act = own_act("BudgetsMade", account_scope(made.account), self._clock.now())
        stored = lock_limits(conn, made.account)
        if not stored.revision and (limits := _limits_of(facts)).ByteSize():
            stored = put_limits(conn, act, made.account, limits, "")
        if list(accountpb.AccountLimits.FromString(stored.budgets).budgets) != list(budgets):
            put_budgets(conn, act, made.account, budgets)
        sets.save_budget_state(conn, replace(made, sent_revision=now.sent_revision))
        return True

    def _today(self) -> int:
        return int(self._clock.now().timestamp() // DAY_S)


def _limits_of(facts: AccountFacts) -> accountpb.AccountLimits:
    """What brokerage holds an account to, without budgets: these are made here."""
    limits = accountpb.AccountLimits()
    limits.CopyFrom(facts.limits)
    del limits.budgets[:]
    return limits


def _budgets_to_proto(budgets: Sequence[Budget]) -> list[accountpb.AccountBudget]:
    return [
        accountpb.AccountBudget(
            world_id=each.world_id,
            strategy_id=each.strategy_id,
            gross_max=text_of(_money(each.gross_max)),
            capital=text_of(_money(each.capital)),
        )
        for each in budgets
    ]


def _money(value: Fraction) -> Fraction:
    """Cut to two decimal places, which brokerage keeps of every currency, and never rounded up."""
    return cut(value, BUDGET_PLACES)


def _sent(conn: Connection, account: str, revision: int) -> bool:
    """Record which set's budgets brokerage has; whether it is the newest."""
    now = sets.lock_account(conn, account)
    sets.save_budget_state(conn, replace(now, sent_revision=max(now.sent_revision, revision)))
    return revision >= now.set_revision


def _forget_day(conn: Connection, account: str) -> None:
    sets.save_budget_state(conn, replace(sets.lock_account(conn, account), day=0))
