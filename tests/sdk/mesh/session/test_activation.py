"""The activation as a runner sees it, and following beside work."""

import asyncio

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.clock import SystemClock
from qmtl.core.errors import NotReady, PermissionDenied
from qmtl.sdk.mesh.retrying import RetryingClient
from qmtl.sdk.mesh.session.activation import DOMAINS, FollowedActivation, follow_activation, trading_session
from qmtl.wire.instants import ns_to_proto
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import session_pb2 as sessionpb
from tests.sdk.market import walk
from tests.sdk.mesh.fakes import FakeMesh

Entry = activationpb.ActivationEntry
LONG, SHORT = commonpb.SIDE_LONG, commonpb.SIDE_SHORT
NOW = 1_000_000_000_000
PAPER, DRYRUN = commonpb.EFFECTIVE_MODE_PAPER, commonpb.EXECUTION_DOMAIN_DRYRUN
LIVE, LIVE_DOMAIN = commonpb.EFFECTIVE_MODE_LIVE, commonpb.EXECUTION_DOMAIN_LIVE
OPEN = sessionpb.SESSION_STATE_OPEN


def view_of(entry: activationpb.ActivationEntry, revision: int = 1) -> FollowedActivation:
    entry.MergeFrom(Entry(strategy_id="s", side=LONG, effective_mode=entry.effective_mode or PAPER))
    view = FollowedActivation()
    view.offer(activationpb.ActivationEnvelope(world_revision=revision, entries=[entry]))
    return view


def may(
    view: FollowedActivation,
    side: commonpb.Side = LONG,
    *,
    reduces: bool = False,
    domain: commonpb.ExecutionDomain = commonpb.EXECUTION_DOMAIN_DRYRUN,
) -> bool:
    return view.allows("s", side, reduces=reduces, now_ns=NOW, domain=domain)


def test_only_an_active_side_may_trade() -> None:
    assert may(view_of(Entry(active=True)))
    assert not may(view_of(Entry(active=True)), SHORT)
    assert not may(view_of(Entry()))
    assert not may(FollowedActivation())
    assert not view_of(Entry(active=True)).allows("other", LONG, reduces=True, now_ns=NOW, domain=DRYRUN)


def test_an_entry_lets_orders_through_in_the_session_of_its_own_mode_only() -> None:
    paper, live = view_of(Entry(active=True)), view_of(Entry(active=True, effective_mode=LIVE))
    assert may(paper)
    assert not may(paper, reduces=True, domain=LIVE_DOMAIN)
    assert may(live, domain=LIVE_DOMAIN)
    assert not may(live, reduces=True)


def test_freeze_wins_over_all_and_drain_only_reduces() -> None:
    assert not may(view_of(Entry(active=True, freeze=True)), reduces=True)
    assert not may(view_of(Entry(active=True, drain=True)))
    assert may(view_of(Entry(active=True, drain=True)), reduces=True)
    assert may(view_of(Entry(drain=True)), reduces=True)


@pytest.mark.parametrize("mode", [mode for mode in commonpb.EffectiveMode.values() if mode not in DOMAINS])
def test_in_shadow_and_every_other_mode_that_does_not_trade_nothing_is_sent(mode: commonpb.EffectiveMode) -> None:
    view = FollowedActivation()
    entry = Entry(strategy_id="s", side=LONG, active=True, effective_mode=mode)
    view.offer(activationpb.ActivationEnvelope(world_revision=1, entries=[entry]))
    assert not may(view)
    assert not may(view, reduces=True)
    assert not may(view, reduces=True, domain=LIVE_DOMAIN)


def test_outside_its_window_an_entry_is_shut() -> None:
    assert may(view_of(Entry(active=True, valid_from=ns_to_proto(NOW))))
    assert not may(view_of(Entry(active=True, valid_from=ns_to_proto(NOW + 1))))
    assert not may(view_of(Entry(active=True, valid_until=ns_to_proto(NOW))))
    assert may(view_of(Entry(active=True, valid_until=ns_to_proto(NOW + 1))))


def test_an_older_envelope_changes_nothing() -> None:
    view = view_of(Entry(active=True), revision=5)
    view.offer(activationpb.ActivationEnvelope(world_revision=4))
    assert may(view)
    view.offer(activationpb.ActivationEnvelope(world_revision=6))
    assert not may(view)


@pytest.mark.parametrize(
    ("mode", "domain", "state", "found"),
    [
        (PAPER, DRYRUN, OPEN, True),
        (commonpb.EFFECTIVE_MODE_COMPUTE_ONLY, DRYRUN, OPEN, False),
        (LIVE, DRYRUN, OPEN, False),
        (LIVE, LIVE_DOMAIN, OPEN, True),
        (commonpb.EFFECTIVE_MODE_SHADOW, LIVE_DOMAIN, OPEN, False),
        (PAPER, LIVE_DOMAIN, OPEN, False),
        (PAPER, DRYRUN, sessionpb.SESSION_STATE_CLOSED, False),
    ],
)
def test_a_session_needs_mode_domain_and_to_be_open(
    mode: commonpb.EffectiveMode, domain: commonpb.ExecutionDomain, state: sessionpb.SessionState, found: bool
) -> None:
    entry = activationpb.ActivationEntry(strategy_id="s", active=True, effective_mode=mode)
    session = sessionpb.Session(execution_domain=domain, state=state)
    envelope = activationpb.ActivationEnvelope(entries=[entry], sessions=[session])
    assert (trading_session(envelope, "s") is not None) is found
    assert trading_session(envelope, "other") is None


def test_one_that_still_drains_live_goes_on_there() -> None:
    drains = Entry(strategy_id="s", drain=True, effective_mode=LIVE)
    paper = Entry(strategy_id="s", active=True, side=SHORT, effective_mode=PAPER)
    sessions = [sessionpb.Session(execution_domain=domain, state=OPEN) for domain in (DRYRUN, LIVE_DOMAIN)]
    envelope = activationpb.ActivationEnvelope(entries=[drains, paper], sessions=sessions)
    found = trading_session(envelope, "s")
    assert found is not None
    assert found.execution_domain == LIVE_DOMAIN
    envelope.entries[0].drain = False
    found = trading_session(envelope, "s")
    assert found is not None
    assert found.execution_domain == DRYRUN


async def test_waiting_for_an_activation_ends_when_it_comes_or_at_the_limit() -> None:
    view = FollowedActivation()
    waiting = asyncio.create_task(view.until(lambda e: e if e.world_revision == 2 else None, 5.0, "x"))
    await asyncio.sleep(0)
    view.offer(activationpb.ActivationEnvelope(world_revision=1))
    view.offer(activationpb.ActivationEnvelope(world_revision=2))
    assert (await waiting).world_revision == 2
    with pytest.raises(NotReady, match="not so within"):
        await view.until(lambda e: None, 0.01, "not so")


async def test_events_resume_where_they_were_and_begin_again_when_that_is_gone() -> None:
    mesh, view = FakeMesh(walk(10), 5), FollowedActivation()
    mesh.stale_tokens = 1
    mesh.activate("s")
    retrying = RetryingClient.open(mesh.client, 5.0, SystemClock())
    following = asyncio.create_task(follow_activation(retrying, "w", "s", view))
    await view.until(lambda e: e if e.world_revision == 2 else None, 5.0, "first")
    mesh.activate("s", active=False)
    await view.until(lambda e: e if e.world_revision == 3 else None, 5.0, "second")
    following.cancel()
    assert mesh.resumed_from[:3] == ["", "r", ""]
    assert not view.entries("s", NOW, DRYRUN)


async def test_a_refusal_without_a_resume_token_is_an_error() -> None:
    mesh = FakeMesh(walk(10), 5)
    mesh.stale_tokens = -1
    retrying = RetryingClient.open(mesh.client, 5.0, SystemClock())
    with pytest.raises(PermissionDenied):
        await follow_activation(retrying, "w", "s", FollowedActivation())
