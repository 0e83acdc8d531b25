"""RPCs of shares: set, read, listed, proposed."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from qmtl.core.errors import Conflict, refused
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call
from qmtl.wire.fields import require_text
from qmtl.wire.paging import page_from_proto, page_of
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from worldservice.allocation.broker_accounts import AccountFacts, BrokerAccounts, gross_of
from worldservice.allocation.budget_keeper import BudgetKeeper
from worldservice.allocation.domain.amounts import text_of
from worldservice.allocation.domain.proposals.propose import propose
from worldservice.allocation.domain.shares import (
    AllocationSet,
    Owner,
    Shares,
    Terms,
    check_known,
    check_shares,
)
from worldservice.allocation.events import allocation_updated
from worldservice.allocation.hub import account_snapshot, hub_covariance, owners_in
from worldservice.allocation.service.access import (
    account_to_read,
    account_to_write,
    of_account,
    shown_set,
    worlds_of_set,
    worlds_to_read,
)
from worldservice.allocation.store import sets
from worldservice.allocation.wire import shares as wire
from worldservice.risk.domain.snapshot import Snapshot
from worldservice.risk.files import SnapshotFiles
from worldservice.tables import outbox
from worldservice.worlds.acts import Act, audit_write, caller_of, unread_worlds
from worldservice.worlds.store.bindings import active_bindings
from worldservice.worlds.writes import AuditedServicer, Writes, audited, beside


class ShareRpcs(AuditedServicer):
    """Sets are recorded and their budgets told to brokerage; nothing trades."""

    def __init__(self, writes: Writes, broker: BrokerAccounts, budgets: BudgetKeeper, files: SnapshotFiles) -> None:
        AuditedServicer.__init__(self, writes)
        self.broker = broker
        self.budgets = budgets
        self.files = files

    @audited
    async def UpsertAllocations(
        self, request: allocationservicepb.UpsertAllocationsRequest, act: Act
    ) -> allocationservicepb.UpsertAllocationsResponse:
        """Answers once the set is recorded and brokerage was told its budgets."""
        account = require_text(request.account, "account")
        wanted = _wanted(request, of_account(act, account))
        facts = await self.broker.facts(account)
        recorded = await self.writes.db.write(
            lambda conn: _record(conn, of_account(act, account), wanted, request.expected_revision, facts)
        )
        told = await self.budgets.push(account)
        return allocationservicepb.UpsertAllocationsResponse(
            allocations=wire.set_to_proto(recorded), budgets_pending=not told
        )

    async def GetAllocations(
        self, request: allocationservicepb.GetAllocationsRequest, context: object
    ) -> allocationservicepb.GetAllocationsResponse:
        """The set, with capital of the budgets' equity and what is used of it now."""
        account, caller = require_text(request.account, "account"), caller_of(current_call())
        if request.revision < 0:
            raise refused("E_FIELD", "revision", str(request.revision), "0 or more")

        def work(conn: Connection) -> tuple[AllocationSet, sets.BudgetState | None, frozenset[str]]:
            account_to_read(conn, caller, account)
            found = sets.get_set(conn, account, request.revision)
            hidden = unread_worlds(conn, caller, found.shares.named)
            return found, sets.budget_state(conn, account), hidden

        found, state, hidden = await self.writes.db.read(work)
        reply = allocationservicepb.GetAllocationsResponse(
            allocations=shown_set(wire.set_to_proto(found), hidden), budgets_pending=state is None or state.is_pending
        )
        if state is not None and state.equity is not None:
            gross = gross_of(await self.broker.portfolio(account))
            whole = found.shares.over(owner.world_id for owner, _ in gross if owner.world_id)
            rows = wire.capital_to_proto(whole, state.equity, state.leverage_max, gross)
            reply.equity = text_of(state.equity)
            reply.capital.extend(row for row in rows if not row.strategy_id or row.world_id not in hidden)
        return reply

    async def ListAllocations(
        self, request: allocationservicepb.ListAllocationsRequest, context: object
    ) -> allocationservicepb.ListAllocationsResponse:
        account, caller = require_text(request.account, "account"), caller_of(current_call())
        page = page_from_proto(request, (int,))

        def work(conn: Connection) -> tuple[list[AllocationSet], frozenset[str]]:
            account_to_read(conn, caller, account)
            found = list(sets.list_sets(conn, account, page))
            return found, unread_worlds(conn, caller, {one for each in found for one in each.shares.named})

        rows, hidden = await self.writes.db.read(work)
        shown, info = page_of(
            rows, page, lambda found: (found.revision,), lambda found: shown_set(wire.set_to_proto(found), hidden)
        )
        return allocationservicepb.ListAllocationsResponse(allocations=shown, page=info)

    async def ProposeAllocations(
        self, request: allocationservicepb.ProposeAllocationsRequest, context: object
    ) -> allocationservicepb.ProposeAllocationsResponse:
        """Computed in another thread where it is large; nothing is stored."""
        account, caller = require_text(request.account, "account"), caller_of(current_call())

        named = [Owner(row.world_id, row.strategy_id) for row in request.covariance.strategies]
        now = self.writes.clock.now()

        def work(conn: Connection) -> tuple[AllocationSet | None, Snapshot | None]:
            account_to_read(conn, caller, account)
            worlds_to_read(conn, caller, {owner.world_id for owner in named})
            if request.covariance.lower:
                return sets.newest_set(conn, account), None
            book = account_snapshot(conn, account, now, self.files)
            worlds_to_read(conn, caller, {owner.world_id for owner in named or owners_in(book)})
            return sets.newest_set(conn, account), book

        newest, book = await self.writes.db.read(work)
        today = Shares() if newest is None else newest.shares
        buffer = (Terms() if newest is None else newest.terms).cash_buffer

        def made(
            asked: allocationservicepb.ProposeAllocationsRequest,
        ) -> allocationservicepb.ProposeAllocationsResponse:
            wish = wire.wish_from_request(asked, buffer)
            given = wire.covariance_from_proto(asked.covariance) if book is None else hub_covariance(book, named)
            reply = wire.proposal_to_proto(propose(given, wish, today), today)
            reply.risk_snapshot = "" if book is None else book.version
            return reply

        return await beside(request, made)


def _wanted(request: allocationservicepb.UpsertAllocationsRequest, act: Act) -> AllocationSet:
    """The set asked for, with revision 0. Raises InvalidRequest, Exhausted."""
    run_id = require_text(request.run_id, "run_id")
    reason = require_text(request.reason, "reason", wire.REASON_MAX)
    shares, terms = wire.shares_from_request(request), wire.terms_from_proto(request.terms)
    check_shares(shares, terms)
    content = wire.content_of(shares, terms, reason, request.expected_revision)
    return AllocationSet(request.account, 0, run_id, shares, terms, reason, act.actor, act.now, content)


def _record(conn: Connection, act: Act, wanted: AllocationSet, expected: int, facts: AccountFacts) -> AllocationSet:
    state = sets.lock_account(conn, wanted.account)
    known = sets.set_of_run(conn, wanted.account, wanted.run_id)
    newest = sets.newest_set(conn, wanted.account)
    named = wanted.shares.named
    lowers_guard = newest is not None and newest.terms.two_person and not wanted.terms.two_person
    want = Role.OWNER if lowers_guard and known is None else Role.OPERATOR
    account_to_write(conn, act, wanted.account, worlds_of_set(conn, facts.worlds, named), want)
    if known is not None:
        if known.content != wanted.content:
            raise Conflict("E_RUN_CONFLICT", f"run {wanted.run_id} of account {wanted.account} set other shares")
        return known
    if expected != state.set_revision:
        raise Conflict(
            "E_ETAG_MISMATCH",
            f"shares of account {wanted.account} are at revision {state.set_revision}, expected {expected}",
            hint="read them and decide again",
        )
    bound = {Owner(world, strategy) for world in named & set(facts.worlds) for strategy in active_bindings(conn, world)}
    check_known(wanted.shares, facts.worlds, bound, wanted.account)
    recorded = replace(wanted, revision=expected + 1)
    sets.insert_set(conn, recorded)
    sets.save_budget_state(conn, replace(state, set_revision=recorded.revision))
    message = wire.set_to_proto(recorded)
    outbox.append(conn, allocation_updated(message, act))
    audit_write(conn, act, f"shares revision {recorded.revision}, run {recorded.run_id}: {recorded.reason}")
    return recorded
