"""Runs a strategy in its world, on paper or live as its activation says: one session after the other.

Nothing here chooses a mode. Whoever runs it says whether live trading is meant: without that a strategy that the world
has made LIVE is not run.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import Clock, SystemClock
from qmtl.core.errors import NotReady, PermissionDenied, QmtlError, refused
from qmtl.sdk.mesh.client import Gateway, open_client
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.activation import FollowedActivation, follow_activation, trading_session
from qmtl.sdk.mesh.session.events import Awaiting, ErrorHook, OnEvent
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.session.session import Session, SessionPlace
from qmtl.sdk.mesh.session.streams import beside
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.sdk.mesh.submission.submit import Submitter
from qmtl.sdk.repeatability.fresh_processes import check_repeats_beside
from qmtl.sdk.strategy.assembly import Assembled, assemble
from qmtl.sdk.strategy.strategy import Strategy
from qmtl.world.v1 import session_pb2 as sessionpb

log = logging.getLogger("qmtl.sdk.mesh.session")
TOLD_AFTER_S = 1.0
"""How long an activation may take to be heard of before its absence is told."""


async def run(
    strategy: Strategy,
    *,
    world: str,
    data: str | None = None,
    terms: SessionTerms | None = None,
    gateway: Gateway | None = None,
    clock: Clock | None = None,
    on_event: OnEvent | None = None,
    allow_live: bool = False,
) -> SessionResult:
    """Run a strategy in its world's session; see Runner.run."""
    assembled, asked = assemble(strategy), _Asked(data, terms or SessionTerms(), on_event, allow_live)
    gateway, clock = gateway or Gateway(), clock or SystemClock()
    if not assembled.rules:
        raise refused("E_NOTHING_TRADED", "trade", "no rule", "self.trade(target, price) in setup")
    await check_repeats_beside(assembled.dag)
    async with open_client(gateway) as client:
        submitter = Submitter(RetryingClient.open(client, gateway.outage_s_max, clock), world)
        return await _trade(submitter, assembled, asked)


async def trade(
    submitter: Submitter,
    assembled: Assembled,
    data: str | None,
    terms: SessionTerms,
    on_event: OnEvent | None = None,
    *,
    allow_live: bool = False,
) -> SessionResult:
    """Bind a strategy, or attach to it, and run its sessions to the end.

    Interrupted before anything of it was active, what this call has bound is withdrawn. What trades, or was there
    before, stays: its positions are an operator's to close, and another call goes on with it.
    """
    return await _trade(submitter, assembled, _Asked(data, terms, on_event, allow_live))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the caller of a run has asked for."""

    data: str | None
    terms: SessionTerms
    on_event: OnEvent | None
    allow_live: bool


async def _trade(submitter: Submitter, assembled: Assembled, asked: _Asked) -> SessionResult:
    await submitter.data.market(assembled, asked.data)  # what it lacks is said before anything is bound
    bound = await submitter.bind(assembled)
    strategy_id, activation = bound.strategy.strategy_id, FollowedActivation()
    clients = [submitter.retrying.separate()]
    events = follow_activation(clients[0], submitter.world, strategy_id, activation)
    with ErrorHook(assembled.strategy):
        try:
            return await beside(_sessions(submitter, assembled, strategy_id, activation, clients, asked), events)
        except asyncio.CancelledError as error:
            if bound.attached or trading_session(activation.envelope, strategy_id) is not None:
                error.add_note(f"strategy {strategy_id} stays in world {submitter.world} as it was")
            else:
                await submitter.withdraw(strategy_id, error)
            raise


async def _sessions(
    submitter: Submitter,
    assembled: Assembled,
    strategy_id: str,
    activation: FollowedActivation,
    clients: list[RetryingClient],
    asked: _Asked,
) -> SessionResult:
    """One session after the other, as long as the strategy is moved between paper and live.

    Where the next one cannot begin, the last one's result says why, and is not lost.
    """
    earlier: list[SessionResult] = []
    while True:
        try:
            going, account = await _begun(submitter, assembled, strategy_id, activation, clients, asked)
        except QmtlError as error:
            if not earlier:
                raise
            log.warning("the run ends with the session before: %s", error)
            return replace(earlier.pop(), earlier=tuple(earlier), not_continued=str(error))
        result = await going.run(account)
        if not going.moved:
            return replace(result, earlier=tuple(earlier))
        earlier.append(result)


async def _begun(
    submitter: Submitter,
    assembled: Assembled,
    strategy_id: str,
    activation: FollowedActivation,
    clients: list[RetryingClient],
    asked: _Asked,
) -> tuple[Session, accountpb.Account]:
    """The session that the strategy trades in, and the account that it has there."""
    session = await _activated(submitter.world, strategy_id, activation, asked)
    if session.execution_domain == commonpb.EXECUTION_DOMAIN_LIVE and not asked.allow_live:
        raise _unmeant(strategy_id, submitter.world)
    market = await submitter.data.market(assembled, asked.data, session)
    place = SessionPlace(activation, session, market)
    going = Session(submitter, assembled, strategy_id, place, asked.terms, clients, asked.on_event)
    return going, await going.begin()


async def _activated(world: str, strategy_id: str, activation: FollowedActivation, asked: _Asked) -> sessionpb.Session:
    """The session that the strategy trades in. That an operator has to activate it first is told, and waited for."""
    limit_s = asked.terms.activation_wait_s
    soon_s = min(TOLD_AFTER_S, limit_s)
    what = f"strategy {strategy_id} was not activated for paper or live in world {world}"

    async def until(wait_s: float) -> sessionpb.Session:
        return await activation.until(lambda envelope: trading_session(envelope, strategy_id), wait_s, what)

    try:
        return await until(soon_s)
    except NotReady:
        if soon_s == limit_s:
            raise
    log.warning("%s: waiting %g s for an operator (qmtl world activate %s ID --stage paper)", what, limit_s, world)
    if asked.on_event is not None:
        asked.on_event(Awaiting(strategy_id, world, limit_s))
    return await until(limit_s)


def _unmeant(strategy_id: str, world: str) -> PermissionDenied:
    return PermissionDenied(
        "E_LIVE_GUARD",
        f"strategy {strategy_id} is LIVE in world {world}: its orders go to an exchange",
        hint="Runner.run(..., allow_live=True) if that is meant",
    )
