"""Divergence reports over the wire: both sides are brokerage's, and what cannot be compared is told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal

import pyarrow as pa
import pytest
import sqlalchemy as sa

from controlbus.bus import connected
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.broker.v1 import replay_service_pb2 as replayservicepb
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import NotReady, QmtlError
from qmtl.core.roles import Role
from qmtl.sql.instants import micros
from qmtl.world.v1 import binding_service_pb2 as bindingservicepb
from qmtl.world.v1 import divergence_pb2 as divergencepb
from qmtl.world.v1 import divergence_service_pb2 as divergenceservicepb
from qmtl.world.v1 import policy_service_pb2 as policyservicepb
from qmtl.world.v1 import session_service_pb2 as sessionservicepb
from tests.support.world_stubs import WorldStubs
from tests.worldservice.campaigns.test_service import EASY, NAMED, campaign, governed, reasons
from tests.worldservice.harness import WorldHarness, evaluation, stamp
from tests.worldservice.samples import DOCUMENT, list_chunks, order_list
from worldservice.worlds import tables as world_tables

DAYS = 24
SLIP = Decimal("0.2")  # 20 bp of 100
POLICY = EASY + "  divergence: {slippage_max_bps: 15, min_pairs: 10}\n"


class Books:
    """What brokerage says of twelve orders at 100, one every other day; live fills are worse by `slip`."""

    def __init__(self, harness: WorldHarness, session_id: str, slip: Decimal = SLIP) -> None:
        self.harness, self.session_id, self.slip = harness, session_id, slip
        self.start = harness.clock.now() - timedelta(days=DAYS)
        self.live_digest = "blake3:bars"

    def orders(self) -> list[orderpb.Order]:
        return [
            orderpb.Order(
                account="replay", world_id="w1", strategy_id="s", client_order_id=f"o{number}", symbol="BTC-USD",
                side=self.side(number), decided_at=stamp(self.start + timedelta(days=2 * number)),
            )
            for number in range(12)
        ]  # fmt: skip

    @staticmethod
    def side(number: int) -> orderpb.OrderSide:
        return orderpb.ORDER_SIDE_SELL if number % 2 else orderpb.ORDER_SIDE_BUY

    def booked(self) -> list[replaypb.BookedOrder]:
        return [
            replaypb.BookedOrder(
                client_order_id=f"live-{one.client_order_id}", symbol=one.symbol, side=one.side,
                decided_at=one.decided_at, arrival_price="100",
            )
            for one in self.orders()
        ]  # fmt: skip

    def parts(self, *, live: bool) -> list[replayservicepb.ReplayOrdersResponse]:
        slip, cash = (self.slip if live else Decimal(0)), Decimal(100_000)
        fills, equity = list[orderpb.Fill](), list[Decimal]()
        for number in range(12):
            price = Decimal(100) + (slip if number % 2 == 0 else -slip)
            fills.append(
                orderpb.Fill(
                    client_order_id=f"{'live-' if live else ''}o{number}", symbol="BTC-USD", side=self.side(number),
                    quantity="2", price=str(price), fee="0.1", fee_currency="USD",
                    account_time=stamp(self.start + timedelta(days=2 * number + 1)),
                )
            )  # fmt: skip
        for day in range(DAYS):
            done = (day + 2) // 2
            equity.append(cash - 2 * slip * done - Decimal("0.1") * done)
        return [
            replayservicepb.ReplayOrdersResponse(fills=replaypb.ReplayedFills(fills=fills)),
            replayservicepb.ReplayOrdersResponse(equity_arrow=self.curve(equity)),
            replayservicepb.ReplayOrdersResponse(summary=self.summary(len(equity), live=live)),
        ]

    def curve(self, equity: Sequence[Decimal]) -> bytes:
        times = [self.start + timedelta(days=day + 1) for day in range(DAYS)]
        table = pa.table(
            {
                "close_time": pa.array(times, type=pa.timestamp("ns", "UTC")),
                "equity": pa.array(equity, type=pa.decimal128(38, 2)),
            }
        )
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return bytes(sink.getvalue().to_pybytes())

    def summary(self, closes: int, *, live: bool) -> replaypb.ReplaySummary:
        instrument = replaypb.ReplayedInstrument(
            symbol="BTC-USD", data_preset="live", multiplier="1", coverage_ratio=1.0, first_open=stamp(self.start),
            last_close=stamp(self.start + timedelta(days=DAYS)), last_price="101",
            bars_digest=self.live_digest if live else "blake3:bars",
        )  # fmt: skip
        asked = (self.harness.replays.books if live else self.harness.replays.asked)[-1]
        if asked.HasField("opening_at"):
            instrument.opening_price = "100.5"
        return replaypb.ReplaySummary(
            equity="1", base_currency="USD", fill_count=12, equity_count=closes, instruments=[instrument],
            carried={"FUNDING": "-3" if live else "-2"},
            opening_carried={"FUNDING": "-1.5"} if live and asked.HasField("opening_at") else None,
        )  # fmt: skip

    async def request(
        self, ann: WorldStubs, starts: timedelta = timedelta(0), until: timedelta = timedelta(days=DAYS)
    ) -> CreateRequest:
        listed = order_list("w1", "s", "sha256:recording")
        listed.orders.extend(self.orders())
        listed.range.start.CopyFrom(stamp(self.start + starts))
        listed.range.end.CopyFrom(stamp(self.start + until))
        put = await ann.evaluation.PutOrderList(list_chunks(listed))
        self.harness.replays.orders, self.harness.replays.two_sides = self.booked(), self.parts
        return CreateRequest(**NAMED, order_list=put.order_list, account="p", session_id=self.session_id)


CreateRequest = divergenceservicepb.CreateDivergenceReportRequest


async def opened(harness: WorldHarness, domain: str = "DRYRUN") -> str:
    gateway = await harness.gateway()
    session = await gateway.sessions.OpenSession(
        sessionservicepb.OpenSessionRequest(
            world_id="w1", execution_domain="EXECUTION_DOMAIN_DRYRUN", data_preset="live",
            start=stamp(harness.clock.now() - timedelta(days=DAYS)), dataset_fingerprint="sha256:data",
        )
    )  # fmt: skip
    name, start = session.session.session_id, micros(harness.clock.now() - timedelta(days=DAYS))
    table = world_tables.sessions  # the activation opened it now; it has been going on for longer

    def earlier(conn: sa.Connection) -> None:
        mine = sa.update(table).where(table.c.session_id == name)
        conn.execute(mine.values(start_us=start, execution_domain=domain))

    await harness.fill(earlier)
    return name


async def made(stub: WorldStubs, request: CreateRequest) -> divergencepb.DivergenceReport:
    return (await stub.divergence.CreateDivergenceReport(request)).report


async def test_twenty_basis_points_of_slippage_are_found_and_bar_a_promotion(harness: WorldHarness) -> None:
    ann = await governed(harness, POLICY)
    bob = await harness.stub(Role.OPERATOR, "bob")
    assert "DIVERGENCE_MISSING" in reasons(await campaign(bob))
    books = Books(harness, await opened(harness))
    request = await books.request(ann)
    report = await made(bob, request)
    assert report.verdict == divergencepb.DIVERGENCE_VERDICT_FAIL
    assert report.reasons[0] == "slippage in bps is 20, want at most 15"
    assert report.figures.live_slippage_bps == pytest.approx(20.0)
    assert report.figures.replay_slippage_bps == 0.0
    assert (report.figures.pair_count, report.figures.match_rate, report.figures.fill_ratio) == (12, 1.0, 1.0)
    assert (report.terms.execution, report.terms.arrival, report.terms.mark, report.terms.fees) == (
        "-4.8",
        "0",
        "0",
        "0",
    )
    gap = Decimal(report.terms.live_pnl) - Decimal(report.terms.replay_pnl)
    assert gap == Decimal("-5.8")  # with 1 of funding
    assert Decimal(report.terms.execution) / (12 * 200) * 10_000 == Decimal(-20)
    assert (report.created_by, list(report.recordings), report.policy_version) == ("bob", ["sha256:recording"], 2)
    assert len(report.days) == DAYS
    harness.clock.advance(60.0)
    assert await made(bob, request) == report  # the same again is the one that is stored
    reader = await harness.stub(Role.READER, "eve")
    got = divergenceservicepb.GetDivergenceReportRequest(**NAMED)
    assert (await reader.divergence.GetDivergenceReport(got)).report == report
    listed = await reader.divergence.ListDivergenceReports(divergenceservicepb.ListDivergenceReportsRequest(**NAMED))
    assert [(one.report_id, len(one.days)) for one in listed.reports] == [(report.report_id, 0)]
    assert "DIVERGENCE_GUARD" in reasons(await campaign(bob))
    asked = harness.replays.books[-1]
    assert (asked.own_terms, asked.end) == (True, report.end)

    equal = Books(harness, books.session_id, slip=Decimal(0))
    equal.start = books.start
    better = await made(bob, await equal.request(ann))
    assert (better.verdict, list(better.reasons)) == (divergencepb.DIVERGENCE_VERDICT_PASS, [])
    assert not {one for one in reasons(await campaign(bob)) if one.startswith("DIVERGENCE")}
    older = await equal.request(ann, until=timedelta(days=DAYS - 1))
    said = await refusal(bob, older)  # without the last day, whatever it would come to
    assert said.reason == "E_DIVERGENCE_WINDOW"
    assert f"where report {better.report_id} ends" in said.message
    harness.clock.advance(timedelta(days=4).total_seconds())
    bob = await harness.stub(Role.OPERATOR, "bob")  # with a token of now
    assert "DIVERGENCE_STALE" in reasons(await campaign(bob))


async def test_what_cannot_be_compared_is_unknown_and_named(harness: WorldHarness) -> None:
    ann = await governed(harness, POLICY)
    books = Books(harness, await opened(harness), slip=Decimal(0))
    books.live_digest = "blake3:other"
    report = await made(ann, await books.request(ann))
    assert report.verdict == divergencepb.DIVERGENCE_VERDICT_UNKNOWN
    assert list(report.reasons) == ["the replay is not over what the session was given of BTC-USD"]
    assert "DIVERGENCE_MISSING" in reasons(await campaign(ann))

    sooner = await made(ann, await books.request(ann, timedelta(milliseconds=-473)))  # a bar was open at the start
    assert (sooner.start, sooner.reasons) == (report.start, report.reasons)
    late = await books.request(ann, timedelta(hours=1))
    assert (await refusal(ann, late)).reason == "E_DIVERGENCE_WINDOW"
    late.order_list = "blake3:none"
    assert (await refusal(ann, late)).reason == "E_ORDER_LIST_UNKNOWN"
    harness.replays.error = NotReady("E_ACCOUNT_WITHOUT_BARS", "no bars")
    assert (await refusal(ann, await books.request(ann))).reason == "E_ACCOUNT_WITHOUT_BARS"
    with pytest.raises(QmtlError, match="E_DIVERGENCE_UNKNOWN"):
        await ann.divergence.GetDivergenceReport(
            divergenceservicepb.GetDivergenceReportRequest(**NAMED, report_id="blake3:none")
        )
    other = await books.request(ann)
    other.session_id = "none"
    assert (await refusal(ann, other)).reason == "E_SESSION_UNKNOWN"


async def test_a_list_that_copies_what_the_account_traded_is_unknown(harness: WorldHarness) -> None:
    ann = await governed(harness, POLICY)
    books = Books(harness, await opened(harness), slip=Decimal(200))
    listed = order_list("w1", "s", "sha256:recording")
    listed.orders.extend(books.orders())
    listed.range.start.CopyFrom(stamp(books.start))
    listed.range.end.CopyFrom(stamp(books.start + timedelta(days=DAYS)))
    for number, one in enumerate(listed.orders):  # at the close of a day; live has lost 2 x 200 for each order by then
        equity = Decimal(100_000) - (2 * 200 + Decimal("0.1")) * number
        one.position_target = f"{equity / 200:.4f}"
    put = await ann.evaluation.PutOrderList(list_chunks(listed))
    harness.replays.orders, harness.replays.two_sides = books.booked(), books.parts
    asked = CreateRequest(**NAMED, order_list=put.order_list, account="p", session_id=books.session_id)
    report = await made(ann, asked)
    assert report.verdict == divergencepb.DIVERGENCE_VERDICT_UNKNOWN
    assert report.reasons[0].endswith(
        "orders in BTC-USD follow the account's equity, not the replay's: the list is a copy"
    )


async def test_a_window_may_begin_in_the_midst_of_a_session(harness: WorldHarness) -> None:
    ann = await governed(harness, POLICY)
    books = Books(harness, await opened(harness))
    request = await books.request(ann)
    whole = await made(ann, request)
    assert (whole.terms.funding, len(whole.days)) == ("-1", DAYS)
    request.start.CopyFrom(stamp(books.start + timedelta(days=2)))
    report = await made(ann, request)
    assert (report.start, report.end, len(report.days)) == (request.start, whole.end, DAYS - 2)
    assert harness.replays.books[-1].opening_at == harness.replays.asked[-1].opening_at == request.start
    assert harness.replays.asked[-1].range.start == whole.start  # both are followed from there
    assert (report.figures.pair_count, report.figures.match_rate) == (11, 1.0)
    terms = report.terms
    # two held from 100.5 on, five more pairs of them, one sold: by the prices of the fills and 1.1 of fees
    assert Decimal(terms.replay_pnl) == 2 * (100 - Decimal("100.5")) - Decimal("1.1") - 2
    assert Decimal(terms.live_pnl) == 2 * (100 - Decimal("100.5")) - 11 * 2 * SLIP - Decimal("1.1") - Decimal("1.5")
    assert (terms.execution, terms.funding, terms.opening) == ("-4.4", "0.5", "0")
    assert report.report_id != whole.report_id
    request.start.CopyFrom(stamp(books.start + timedelta(days=DAYS - 19)))
    short = await made(ann, request)
    assert short.reasons[0].startswith("the window has 19 days, want 20, or a begin within a day of ")
    for days in (-1, DAYS):
        request.start.CopyFrom(stamp(books.start + timedelta(days=days)))
        said = await refusal(ann, request)
        assert (said.reason, said.violations[0].field) == ("E_DIVERGENCE_WINDOW", "start")


async def test_of_a_session_that_was_never_evaluated_the_version_is_that_of_the_run_before_it(
    harness: WorldHarness,
) -> None:
    ann = await governed(harness, POLICY)
    await bound_to(ann, "a")
    books = Books(harness, await opened(harness), slip=Decimal(0))
    unlike = await made(ann, await books.request(ann))
    assert unlike.verdict == divergencepb.DIVERGENCE_VERDICT_UNKNOWN
    assert unlike.reasons[0].endswith(", live of ?"), "it was evaluated before its nodes were told only"
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "s", "run-2"))  # as it was opened
    later = Books(harness, await opened(harness), slip=Decimal(0))
    report = await made(ann, await later.request(ann))
    assert (report.verdict, report.strategy_version[:7]) == (divergencepb.DIVERGENCE_VERDICT_PASS, "blake3:")
    harness.clock.advance(1.0)
    await bound_to(ann, "b")
    await ann.evaluation.Evaluate(evaluation(harness, "w1", "s", "run-3"))  # of the new nodes
    changed = await made(ann, await later.request(ann))
    assert changed.reasons[0].endswith(f", live of {report.strategy_version}")


async def bound_to(stub: WorldStubs, letter: str) -> None:
    node_ids = [f"blake3:{letter * 64}"]
    await stub.bindings.BindStrategy(bindingservicepb.BindStrategyRequest(**NAMED, node_ids=node_ids))


async def refusal(stub: WorldStubs, request: CreateRequest) -> QmtlError:
    with pytest.raises(QmtlError) as caught:
        await made(stub, request)
    return caught.value


async def test_without_a_campaign_there_is_no_report(harness: WorldHarness) -> None:
    ann = await governed(harness, POLICY)
    books = Books(harness, await opened(harness))
    await ann.policies.PutPolicy(policyservicepb.PutPolicyRequest(world_id="w1", document=DOCUMENT, make_default=True))
    assert (await refusal(ann, await books.request(ann))).reason == "E_NO_CAMPAIGN"


async def test_features_that_moved_fail_a_report_and_none_is_unknown_where_the_policy_asks(
    harness: WorldHarness,
) -> None:
    ann = await governed(harness, EASY + "  divergence: {psi_max: 0.1, min_pairs: 10}\n")
    books = Books(harness, await opened(harness), slip=Decimal(0))
    request = await books.request(ann)
    report = await made(ann, request)
    assert report.verdict == divergencepb.DIVERGENCE_VERDICT_UNKNOWN
    assert report.reasons[0].startswith("no feature was compared")
    even = [100] * 10
    request.features.append(divergencepb.FeatureCounts(node="calm", reference_counts=even, live_counts=even))
    assert (await made(ann, request)).verdict == divergencepb.DIVERGENCE_VERDICT_PASS
    moved = [2, 4, 6, 8, 10, 11, 12, 14, 16, 17]
    request.features.append(divergencepb.FeatureCounts(node="moved", reference_counts=[10] * 10, live_counts=moved))
    report = await made(ann, request)
    assert [(one.node, round(one.psi, 4)) for one in report.drift] == [("calm", 0.0), ("moved", 0.292)]
    assert list(report.reasons) == ["feature drift (PSI) is 0.292, want at most 0.1"]
    for node, counts in (("moved", [1, 1]), ("", [1, 1]), ("one", [1]), ("none", [0, 0])):
        bad = CreateRequest()
        bad.CopyFrom(request)
        bad.features.append(divergencepb.FeatureCounts(node=node, reference_counts=[1, 1], live_counts=counts))
        assert (await refusal(ann, bad)).reason == "E_FIELD"


async def test_live_trading_is_compared_from_the_capital_that_is_said_and_is_no_report_on_paper(
    harness: WorldHarness, nats_url: str
) -> None:
    ann = await governed(harness, POLICY)
    books = Books(harness, await opened(harness, "LIVE"))
    request = await books.request(ann)
    request.capital = "0"
    assert (await refusal(ann, request)).reason == "E_FIELD"
    request.capital = "2500.50"
    async with (
        connected(nats_url, service="test") as bus,
        bus.subscribe(["divergence_reported"], ["w1/s"]) as events,
        asyncio.timeout(10),
    ):
        report = await made(ann, request)
        event = await anext(aiter(events))
    assert event.event.divergence_reported.report.report_id == report.report_id
    assert not event.event.divergence_reported.report.days
    assert (report.execution_domain, report.capital) == (commonpb.EXECUTION_DOMAIN_LIVE, "2500.5")
    assert report.reasons[0] == "slippage in bps is 20, want at most 15"
    assert Decimal(report.terms.execution) / (12 * 200) * 10_000 == Decimal(-20)
    asked, listed = harness.replays.books[-1], harness.replays.asked[-1]
    assert (asked.account_model.starting_cash, listed.account_model.starting_cash) == ("2500.5", "2500.5")
    assert "DIVERGENCE_MISSING" in reasons(await campaign(ann))  # it says nothing of paper

    harness.clock.advance(60.0)
    paper = Books(harness, await opened(harness))
    request = await paper.request(ann)
    request.capital = "2500"
    assert (await refusal(ann, request)).message.startswith("capital is 2500, want none")
