"""A run of what its world has made LIVE: only where that is meant, with the exchange's account, and from paper on."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal

import pytest

from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import InvalidRequest, NotFound, PermissionDenied
from qmtl.core.instants import from_ns
from qmtl.data.v1 import datasets_pb2 as datasetspb
from qmtl.sdk.execution.terms import AccountTerms
from qmtl.sdk.mesh.recordings import RecordedSession
from qmtl.sdk.mesh.session.result import SessionResult
from qmtl.sdk.mesh.session.run import trade
from qmtl.sdk.mesh.session.terms import SessionTerms
from qmtl.sdk.strategy.assembly import assemble
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import decision_pb2 as decisionpb
from tests.sdk.mesh.fakes import FakeMesh
from tests.sdk.mesh.samples import PRESET
from tests.sdk.mesh.session.test_behind import Feed, told
from tests.sdk.mesh.session.test_session import BARS, START, Cross, submitter
from tests.support.waiting import eventually

UNTIL = from_ns(int(BARS.close_ns[600]))
TERMS = SessionTerms(until=UNTIL)
CONSENT = (("x-allow-live", "true"),)


async def live_mesh(*accounts: str) -> FakeMesh:
    mesh = FakeMesh(BARS, START)
    mesh.exchange_accounts = {name: [] for name in accounts}
    bound = await submitter(mesh).bind(assemble(Cross()))
    mesh.activate(bound.strategy.strategy_id, live=True)
    return mesh


async def run(mesh: FakeMesh, terms: SessionTerms = TERMS, *, allow_live: bool = True) -> SessionResult:
    return await trade(submitter(mesh), assemble(Cross()), None, terms, allow_live=allow_live)


async def test_what_is_live_is_not_run_unless_that_is_meant() -> None:
    mesh = await live_mesh("acc")
    with pytest.raises(PermissionDenied, match="E_LIVE_GUARD: strategy s-1 is LIVE in world w"):
        await run(mesh, allow_live=False)
    assert not mesh.orders
    assert not mesh.calls["Subscribe"]


async def test_it_trades_with_the_exchanges_account_on_live_data_and_says_that_this_is_meant() -> None:
    mesh = await live_mesh("acc")
    result = await run(mesh)
    assert result.is_live
    assert result.replay.fills
    assert {status.order.account for status in result.orders} == {"acc"}
    assert set(mesh.consents) == {CONSENT}
    assert mesh.exchange_accounts == {"acc": ["BTC-USD"]}
    assert not mesh.calls["OpenPaperAccount"]
    context = mesh.fetches[-1].context
    assert not mesh.fetches[-1].session_id, "a data session is what a dry run is given a context by"
    assert (context.execution_domain, context.HasField("as_of")) == (commonpb.EXECUTION_DOMAIN_LIVE, False)
    assert mesh.evaluations[-1].stage == bindingpb.STAGE_LIVE
    assert not mesh.evaluations[-1].HasField("paper_books")
    assert "traded live as s-1" in str(result)
    assert json.loads(result.to_json())["session"]["execution_domain"] == "EXECUTION_DOMAIN_LIVE"


async def test_on_paper_nothing_says_that_live_trading_is_meant() -> None:
    mesh = await live_mesh("acc")
    mesh.activate("s-1")
    assert (await run(mesh)).replay.fills
    assert set(mesh.consents) == {()}


async def test_its_orders_are_those_of_paper_and_its_curve_begins_with_the_accounts_equity() -> None:
    live, paper = await run(await live_mesh("acc")), await live_mesh()
    paper.activate("s-1")
    on_paper = await run(paper)
    assert [fill.quantity for fill in live.replay.fills] == [fill.quantity for fill in on_paper.replay.fills]
    assert live.replay.equity == on_paper.replay.equity  # the stand-in's account begins with as much
    assert live.books_agree
    assert live.held == {"BTC-USD": sum((fill.quantity for fill in live.replay.fills), Decimal(0))}


@pytest.mark.parametrize(
    ("accounts", "terms", "error"),
    [
        ((), SessionTerms(), "E_ACCOUNT_UNKNOWN: world w may use no account at an exchange"),
        (("a", "b"), SessionTerms(), "E_FIELD: terms.account is none, want one of a, b"),
        (("a", "b"), SessionTerms(account="paper-1"), "E_FIELD: terms.account is paper-1, want one of a, b"),
        (("a",), SessionTerms(cash=Decimal(1)), "E_FIELD: terms.cash is 1"),
        (("a",), SessionTerms(fee_rate=Decimal(0)), "E_FIELD: terms.fee_rate is 0"),
        (("a",), SessionTerms(profile="coinbase_spot"), "E_FIELD: terms.profile is coinbase_spot"),
    ],
)
async def test_the_account_is_never_guessed(accounts: tuple[str, ...], terms: SessionTerms, error: str) -> None:
    mesh = await live_mesh(*accounts)
    with pytest.raises((InvalidRequest, NotFound), match=error):
        await run(mesh, terms)
    assert not mesh.orders


async def test_an_account_whose_prices_come_more_rarely_than_the_strategy_decides_is_refused() -> None:
    mesh = await live_mesh("acc")
    mesh.exchange_accounts["acc"].append("BTC-USD")
    mesh.exchange_feed_s = 3_600
    said = "feed of BTC-USD of account acc is live.hourly, a price every 3600 s, want at most every 900 s"
    with pytest.raises(InvalidRequest, match=said):
        await run(mesh)
    assert not mesh.orders
    mesh.exchange_feed_s = 60
    assert (await run(mesh)).replay.fills


async def test_of_several_accounts_the_one_that_is_named_is_traded_with() -> None:
    mesh = await live_mesh("a", "b")
    await run(mesh, SessionTerms(account="b", until=UNTIL))
    assert {status.order.account for status in mesh.orders.values()} == {"b"}
    assert mesh.exchange_accounts == {"a": [], "b": ["BTC-USD"]}


async def moved_at(mesh: FakeMesh, bar: int, **to: bool) -> None:
    """Let the world move the strategy before a bar is played, once the runner is told."""

    async def move(at: int) -> None:
        if at != bar or mesh.calls["moved"]:
            return
        mesh.calls["moved"] += 1
        mesh.activate("s-1", **to)
        subscribed = len(mesh.resumed_from)
        await eventually(lambda: len(mesh.resumed_from) >= subscribed + 2)  # one has told it whole, and ended

    mesh.before_bar = move


async def test_promoted_while_it_runs_it_goes_on_live() -> None:
    mesh = await live_mesh("acc")
    mesh.activate("s-1")
    await moved_at(mesh, 40, live=True)
    result = await run(mesh)
    (paper,) = result.earlier
    assert (paper.is_live, result.is_live) == (False, True)
    assert not result.not_continued
    assert json.loads(result.to_json())["earlier"][0]["session"]["session_id"] == "session-1"
    assert len(paper.bars[0]) in (40, 41)
    by_account = {status.order.account: status for status in mesh.orders.values()}
    assert set(by_account) == {paper.account.account, "acc"}
    moved_ns = int(paper.bars[0].close_ns[-1])
    assert by_account["acc"].order.decided_at.ToNanoseconds() > moved_ns - 1


async def test_promoted_without_consent_it_ends_on_paper() -> None:
    mesh = await live_mesh("acc")
    mesh.activate("s-1")
    await moved_at(mesh, 40, live=True)
    result = await run(mesh, allow_live=False)
    assert not result.is_live
    assert not result.earlier
    assert result.not_continued.startswith("E_LIVE_GUARD: strategy s-1 is LIVE in world w")
    assert len(result.bars[0]) in (40, 41)
    assert {status.order.account for status in mesh.orders.values()} == {result.account.account}


async def test_the_result_of_paper_is_not_lost_where_the_live_session_cannot_begin() -> None:
    mesh = await live_mesh()  # the world may use no account at an exchange
    mesh.activate("s-1")
    await moved_at(mesh, 40, live=True)
    result = await run(mesh)
    assert not result.is_live
    assert len(result.bars[0]) in (40, 41)
    assert result.not_continued.startswith("E_ACCOUNT_UNKNOWN: world w may use no account at an exchange")
    assert result.not_continued in " ".join(str(result).split())
    assert json.loads(result.to_json())["not_continued"] == result.not_continued


async def test_one_that_is_demoted_drains_live_and_then_goes_on_on_paper() -> None:
    mesh = await live_mesh("acc")
    mesh.activate("s-1", live=True, active=False, drain=True)
    drained = await run(mesh)
    assert drained.is_live
    assert not mesh.orders
    await moved_at(mesh, 40)
    result = await run(mesh)
    assert [one.is_live for one in (*result.earlier, result)] == [True, False]


async def test_promoted_on_a_live_feed_it_waits_for_no_bar_and_acts_on_the_target_that_it_stands_at() -> None:
    """In between, and after the runner has died, nothing is sent twice."""
    entered = await run(await live_mesh("acc"))
    decided = sorted(int((BARS.close_ns == one.order.decided_at.ToNanoseconds()).argmax()) for one in entered.orders)
    bar = decided[0] - START + 2
    assert decided[1] > START + bar, "its target does not change meanwhile"
    mesh, feed = await live_mesh("acc"), Feed(frozenset())
    mesh.preset = datasetspb.Preset()
    mesh.preset.CopyFrom(PRESET)
    mesh.preset.replay = False
    mesh.activate("s-1", freeze=True)  # so that nothing is held before

    async def then_silent(at: int) -> None:
        await feed.before_bar(at)
        if at == bar and not mesh.calls["moved"]:
            mesh.calls["moved"] += 1
            mesh.activate("s-1", live=True)
            feed.bars = 0
            await asyncio.Event().wait()

    mesh.before_bar = then_silent
    terms = SessionTerms(until=from_ns(int(BARS.close_ns[decided[1] - 1])))
    async with asyncio.timeout(20):
        result = await trade(submitter(mesh), assemble(Cross()), None, terms, feed.heard, allow_live=True)
    (paper,) = result.earlier
    assert (len(paper.bars[0]), paper.orders) == (bar, ())
    assert [(one.order.account, one.order.decided_at.ToNanoseconds()) for one in result.orders] == [
        ("acc", int(BARS.close_ns[START + bar - 1]))
    ]
    again = await run(mesh, terms)
    assert [one.order.client_order_id for one in again.orders] == list(mesh.orders)
    assert (len(mesh.orders), mesh.repeated_orders) == (1, 0)


@pytest.mark.parametrize(("bars_in", "stops_at", "first_bar"), [(0, 5, 17), (60, 70, 84)])
async def test_kept_it_waits_for_its_next_change_of_target_also_after_a_restart(
    bars_in: int, stops_at: int, first_bar: int
) -> None:
    """As the first strategy of its session, and as one that joins it while it stands at a target since bar 50."""
    mesh = await live_mesh("acc")
    mesh.on_promote = decisionpb.ON_PROMOTE_KEEP
    mesh.promoted_ns = int(BARS.close_ns[START + bars_in - 1])
    mesh.activate("s-1", live=True)
    first = await run(mesh, SessionTerms(until=from_ns(int(BARS.close_ns[START + stops_at]))))
    assert not first.orders
    result = await run(mesh)
    decided = sorted(one.order.decided_at.ToNanoseconds() for one in result.orders)
    assert decided[0] == BARS.close_ns[START + first_bar]
    if not bars_in:
        recorded = RecordedSession(
            "r", from_ns(mesh.start_ns), (BARS.between(None, mesh.start_ns),), result.bars, result.late_ns
        )
        replayed = recorded.replay(Cross(), AccountTerms(keeps=True))
        assert replayed.fills
        assert [told(fill) for fill in replayed.fills] == [told(fill) for fill in result.replay.fills]
        assert recorded.replay(Cross()).fills[0].time_ns < replayed.fills[0].time_ns
