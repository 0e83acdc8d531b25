"""Account limits: put by people, added to by budgets of allocations, and told to brokerage until it has confirmed them.

Whatever changes them is stored first; a narrowing that brokerage could not be told is `limits_pending`, and told again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain, repeat

import structlog
from sqlalchemy import Connection

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.broker.v1 import account_service_pb2_grpc as accountrpc
from qmtl.core.clock import Clock
from qmtl.core.errors import Conflict, QmtlError
from qmtl.core.tasks.rounds import Rounds
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.rpc.auth.call import own_act as as_service
from qmtl.sql.database import Database
from qmtl.wire.instants import instant_to_proto
from worldservice.metrics import WorldMetrics
from worldservice.risk.events import limits_updated
from worldservice.risk.store import account_limits as store
from worldservice.risk.store.account_limits import StoredLimits
from worldservice.risk.wire.reports import merged_limits, widened
from worldservice.tables import outbox
from worldservice.timing import BrokerageTiming
from worldservice.worlds.acts import Act, audit_write, own_act

STALE = "E_LIMITS_STALE"
ATTEMPTS_MAX = 3
IDLE_S = 5.0
RETRY_MAX_S = 5.0
log = structlog.stdlib.get_logger("qmtl.worldservice.risk")


def put_limits(conn: Connection, act: Act, account: str, limits: accountpb.AccountLimits, etag: str) -> StoredLimits:
    """Store what an owner put, as the next revision; equal limits change nothing. Raises Conflict (E_ETAG_MISMATCH)."""
    stored = store.lock_limits(conn, account)
    if etag and etag != stored.etag:
        raise Conflict(
            "E_ETAG_MISMATCH",
            f"etag of the limits of {account} is {etag}, and now {stored.etag}",
            hint="read them again, then decide again",
            metadata={"etag": stored.etag},
        )
    return _save(conn, act, stored, replace(stored, limits=limits.SerializeToString(deterministic=True)))


def put_budgets(conn: Connection, act: Act, account: str, budgets: Sequence[accountpb.AccountBudget]) -> StoredLimits:
    """Store the budgets that a set of allocations makes, in place of those before; equal ones change nothing.

    They join the account's limits under one revision. The caller pushes afterwards, with a LimitsSender. While
    brokerage has limits that this store never sent they wait with the others.
    """
    stored = store.lock_limits(conn, account)
    content = accountpb.AccountLimits(budgets=budgets).SerializeToString(deterministic=True)
    return _save(conn, act, stored, replace(stored, budgets=content), keeps=stored.is_outranked)


def limits_to_proto(stored: StoredLimits) -> riskpb.HubAccountLimits:
    """The limits as brokerage gets them, and whether it has."""
    return riskpb.HubAccountLimits(
        account=stored.account,
        revision=stored.revision,
        limits=merged_limits(stored.limits, stored.budgets),
        etag=stored.etag,
        limits_pending=stored.pending,
        pending_reason=stored.pending_reason if stored.pending else "",
        updated_by=stored.updated_by,
        updated_at=instant_to_proto(stored.updated_at),
    )


class LimitsSender:
    """One per process; several on one store agree, because brokerage takes a revision once."""

    def __init__(
        self,
        db: Database,
        broker: accountrpc.AccountServiceAsyncStub,
        clock: Clock,
        metrics: WorldMetrics,
        timing: BrokerageTiming,
    ) -> None:
        self._rounds = Rounds(clock, retry_s=timing.retry_s, retry_max_s=RETRY_MAX_S, rest_s=IDLE_S)
        self._db, self._broker, self._timeout_s = db, broker, timing.timeout_s
        self._clock, self._metrics = clock, metrics

    async def push(self, account: str, *, again: bool = False, said: bool = False) -> bool:
        """Tell brokerage the account's present limits; True once it has confirmed them, False if it could not be told.

        `again`: also when it has: its store may have been restored. `said`: a person has put them just now, so they
        replace whatever brokerage has; without it limits that this store never sent are replaced by narrower ones only.
        """
        for _ in range(ATTEMPTS_MAX):
            stored = await self._db.read(lambda conn: store.load_limits(conn, account))
            if not stored.pending and not again:
                return True
            told = await self._tell(stored, said)
            if told is not None:
                return told
        return False

    async def run(self) -> None:
        """Tell everything once, then again what is pending, until cancelled."""
        queries = chain((store.known_accounts,), repeat(store.pending_accounts))
        await self._rounds.run(lambda: self._round(next(queries)))

    async def _round(self, query: Callable[[Connection], list[str]]) -> bool:
        try:
            accounts = await self._db.read(query)
        except QmtlError as error:
            log.warning("limits_unread", error=str(error))
            return False
        again = query is store.known_accounts
        left = [account for account in accounts if not await self.push(account, again=again)]
        self._metrics.limits_pending.set(len(left))
        return not left

    async def _tell(self, stored: StoredLimits, said: bool) -> bool | None:
        """True: confirmed; False: not to be told now; None: the store has something newer to tell."""
        account, revision = stored.account, stored.revision
        request = accountservicepb.SetAccountLimitsRequest(
            account=account, revision=revision, limits=merged_limits(stored.limits, stored.budgets)
        )
        try:
            with as_service():
                await self._broker.SetAccountLimits(request, timeout=self._timeout_s)
        except QmtlError as error:
            if error.reason == STALE:
                return await self._outrank(stored, said)
            log.warning("limits_pending", account=account, revision=revision, error=str(error))
            reason = f"{error.reason}: {error.message}"
            await self._db.write(lambda conn: store.note_pending(conn, account, revision, reason))
            self._rounds.wake()
            return False
        await self._db.write(lambda conn: self._confirm(conn, account, revision))
        return True

    def _confirm(self, conn: Connection, account: str, revision: int) -> None:
        """Audited: from this commit on brokerage is known to hold the limits."""
        if store.confirm(conn, account, revision):
            act = own_act("AccountLimitsConfirmed", f"account:{account}", self._clock.now())
            outbox.append(conn, limits_updated(limits_to_proto(store.load_limits(conn, account)), act))
            audit_write(conn, act, f"revision {revision}")

    async def _outrank(self, stored: StoredLimits, said: bool) -> bool | None:
        """Brokerage has a revision that is not ours: this store was restored, or somebody wrote past it.

        Step above it where that widens nothing, or a person has just said so; else it stands, and is told.
        """
        try:
            with as_service():
                request = accountservicepb.GetAccountRequest(account=stored.account)
                reply = await self._broker.GetAccount(request, timeout=self._timeout_s)
        except QmtlError as error:
            log.warning("limits_unread", account=stored.account, error=str(error))
            self._rounds.wake()
            return False
        theirs = int(reply.account.limits_revision)
        wider = [] if said else widened(merged_limits(stored.limits, stored.budgets), reply.account.limits)
        if wider:
            return await self._db.write(lambda conn: self._refuse(conn, stored, theirs, wider))
        log.warning("limits_outranked", account=stored.account, ours=stored.revision, theirs=theirs)
        await self._db.write(lambda conn: store.outrank(conn, stored.account, stored.revision, theirs + 1))
        return None

    def _refuse(self, conn: Connection, stored: StoredLimits, theirs: int, wider: Sequence[str]) -> bool | None:
        """Keep brokerage's limits; None: the store has something newer to tell. Audited once."""
        if not store.outrank(conn, stored.account, stored.revision, theirs):
            return None
        shown = ", ".join(wider[:5]) + (f" and {len(wider) - 5} more" if len(wider) > 5 else "")
        reason = (
            f"{store.OUTRANKED}: brokerage has revision {theirs}, which this store never sent, and these would widen"
        )
        reason = f"{reason} {shown}; put the limits again to replace it"
        if stored.pending_reason != reason[: store.REASON_MAX]:
            log.error("limits_refused", account=stored.account, theirs=theirs, wider=shown)
            act = own_act("AccountLimitsRefused", f"account:{stored.account}", self._clock.now())
            audit_write(conn, act, reason)
        store.note_pending(conn, stored.account, theirs, reason)
        return False


def _save(
    conn: Connection, act: Act, stored: StoredLimits, wanted: StoredLimits, *, keeps: bool = False
) -> StoredLimits:
    """`keeps`: the revision stays, so that brokerage refuses it until a person has put limits."""
    if stored.revision and (wanted.limits, wanted.budgets) == (stored.limits, stored.budgets):
        audit_write(conn, act, f"limits of {stored.account} again, unchanged")
        return stored
    saved = store.save_limits(conn, replace(wanted, updated_by=act.actor, updated_at=act.now), keeps=keeps)
    outbox.append(conn, limits_updated(limits_to_proto(saved), act))
    audit_write(conn, act, f"limits of {stored.account} revision {saved.revision}")
    return saved
