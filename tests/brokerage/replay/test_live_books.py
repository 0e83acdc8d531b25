"""Books of an account at an exchange beside the replay of what was decided: slippage is found as execution."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from brokerage import schema as t
from brokerage.accounts import store as accounts_store
from brokerage.domain.accounts.account import AccountFeed
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.market.mark import Mark
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.orders.order import Owner, Side
from brokerage.market.context import MarketContext
from brokerage.replay.allowance import Allowance
from brokerage.replay.bars import SealedBars
from brokerage.replay.books import BooksQuery, PaperBooks, booked_orders, load_books, valued
from brokerage.replay.run import run
from brokerage.replay.wire import replay_from_proto
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.core.errors import InvalidRequest
from qmtl.core.instants import to_ns
from qmtl.core.volumes import VolumeUnit
from qmtl.wire.instants import ns_to_proto
from tests.brokerage.venues.reconcile.live import OWNER, Live, living
from tests.brokerage.venues.reconcile.places import BINANCE_USDM
from tests.support.clocks import START
from worldservice.campaigns.domain.divergence.report import DivergenceReport, Evidence, report_of
from worldservice.campaigns.domain.divergence.verdict import Ground, Verdict
from worldservice.campaigns.reports.sides import Told, Window, bar_of, marks_of, sides_of, unlike
from worldservice.evaluation.replay.numbers import Replayed
from worldservice.policy.domain.campaign.terms import CampaignTerms, DivergenceTerms

HOUR_NS = 3_600 * 10**9
HOURS, SESSION = 30, "live-session"
DECIDED = (2, 5, 8, 11, 14, 17, 20, 23, 25, 27)
QUANTITY = Decimal("0.1")
MODEL = accountpb.AccountModel(
    starting_cash="10000", base_currency="USDT", fee_rate="0.0005", type=accountpb.ACCOUNT_TYPE_MARGIN, leverage=5
)


def close_of(hour: int) -> Decimal:
    """Between 100 and 250, of which twenty basis points are whole ticks."""
    return Decimal(100 + 50 * (hour * 7 % 4))


def side_of(place: int) -> Side:
    return Side.SELL if place % 2 else Side.BUY


@dataclass
class Traded:
    """A strategy that traded at the exchange each few hours, twenty basis points worse than where it decided."""

    live: Live
    start_ns: int

    @property
    def instrument(self) -> Instrument:
        found = self.live.market.instruments.find(self.live.place.btc)
        assert found is not None
        return found

    @property
    def bars(self) -> SealedBars:
        """All of them."""
        return self.bars_until(HOURS)

    def bars_until(self, hours: int) -> SealedBars:
        """Hourly bars that open where the one before closed."""
        opens = [close_of(hour - 1) if hour else close_of(0) for hour in range(hours)]
        closes = [close_of(hour) for hour in range(hours)]
        columns = {
            "open": opens,
            "high": [max(pair) for pair in zip(opens, closes, strict=True)],
            "low": [min(pair) for pair in zip(opens, closes, strict=True)],
            "close": closes,
            "volume": [Decimal(10_000)] * hours,
        }
        times = pa.array([self.start_ns + hour * HOUR_NS for hour in range(hours)], pa.timestamp("ns", "UTC"))
        table = pa.table(
            {"open_time": times, **{name: [float(one) for one in cells] for name, cells in columns.items()}}
        )
        return SealedBars(self.instrument, 3_600, VolumeUnit.BASE, [table], "live", 1.0)

    async def trade(self) -> None:
        for place, hour in enumerate(DECIDED):
            decided_ns = self.start_ns + (hour + 1) * HOUR_NS
            self.live.advance((decided_ns - to_ns(self.live.clock.now())) / 1e9 + 1.0)
            mark = close_of(hour)
            self.live.exchange.quote("BTCUSDT", mark * Decimal("0.998"), mark * Decimal("1.002"))
            if place == 5:
                self.live.exchange.fund("BTCUSDT", "0.001")  # while one tenth is held
            await self.live.order(f"o{place}", side_of(place), str(QUANTITY), price=None, decided_ns=decided_ns)
            await self.live.dispatch()
        await self.live.settle()

    async def followed(self) -> None:
        """The account's feed has brought every bar."""
        end_ns = self.start_ns + HOURS * HOUR_NS
        feed = AccountFeed("live", "", self.live.place.btc, 3_600)
        mark = Mark(self.instrument.price_units(close_of(HOURS - 1)), end_ns, end_ns)

        def write(conn: sa.Connection) -> None:
            mine = t.account_feeds.c.symbol == self.live.place.btc
            conn.execute(sa.update(t.account_feeds).where(mine).values(session_id="", position_ns=end_ns))
            accounts_store.save_mark(conn, feed, mark)

        await self.live.db.write(write)

    async def books(self, owner: Owner = OWNER, **changes: object) -> PaperBooks:
        asked = {"session_id": SESSION, "start_ns": self.start_ns, "model": MODEL, "own_terms": True, **changes}
        query = BooksQuery(owner, **asked)  # type: ignore[arg-type]  # fields by name
        return await self.live.db.read(lambda conn: load_books(conn, self.live.market, query))

    def replayed(self, window: Window, quantity: Decimal = QUANTITY) -> tuple[Replayed, Sequence[orderpb.Order]]:
        """What the decisions come to under a model that charges half and slips nothing."""
        listed = replaypb.OrderReplay(
            world_id=OWNER.world_id, strategy_id=OWNER.strategy_id, dataset_fingerprints=["r"], account_model=MODEL
        )
        if window.opens_later:
            listed.opening_at.FromDatetime(window.start)
        hours = round((window.end - START) / timedelta(hours=1))
        for place, hour in enumerate(hour for hour in DECIDED if hour + 1 < hours):
            listed.orders.add(
                account="replay", world_id=OWNER.world_id, strategy_id=OWNER.strategy_id, client_order_id=f"r{place}",
                symbol=self.live.place.btc, side=f"ORDER_SIDE_{side_of(place).name}", type=orderpb.ORDER_TYPE_MARKET,
                quantity=str(quantity), decided_at=ns_to_proto(self.start_ns + (hour + 1) * HOUR_NS),
                time_in_force=orderpb.TIME_IN_FORCE_GTC,
            )  # fmt: skip
        market = MarketContext(Instruments([self.instrument]), BrokerageProfile())
        found = Replayed()
        for part in run(market, replay_from_proto(listed, market), [self.bars_until(hours)], Allowance(10**6)):
            found.take(part)
        return found, listed.orders

    async def report(
        self, first: int = 0, last: int = HOURS, weight: str = "1"
    ) -> tuple[DivergenceReport, tuple[str, ...]]:
        """Over some hours of the session; the replay decides as much more as the strategy traded less."""
        share, began = Decimal(weight), START + timedelta(hours=first)
        window = Window(START, began, START + timedelta(hours=last), share, Decimal(MODEL.starting_cash))
        books = await self.books(end_ns=to_ns(window.end), opening_ns=to_ns(window.start) if window.opens_later else -1)
        replay, orders = self.replayed(window, QUANTITY / share)
        live, sent, bars = Replayed(), list[replaypb.BookedOrder](), self.bars_until(last)
        for told in booked_orders(books, [bars]):
            sent += told.orders
        for part in valued(self.live.market, books, [bars]):
            live.take(part)
        told_both = Told(live, sent, replay, orders)
        sides, marks = sides_of(told_both, window), marks_of(told_both, window)
        ground = Ground("r", 1.0, "v", "v")
        evidence = Evidence(window.start, window.end, bar_of(replay), *sides, marks, ground, features=())
        terms = CampaignTerms(divergence=DivergenceTerms(slippage_max_bps=15.0, tracking_error_max=10.0))
        return report_of(evidence, terms), unlike(told_both, START, window.end)

    async def figures(self, first: int = 0, last: int = HOURS, weight: str = "1") -> list[Decimal]:
        """What adds up: profits, their gap, costs and pairs."""
        report, _ = await self.report(first, last, weight)
        found, pairs = report.attribution, report.measured.pairs
        assert found is not None
        assert found.residual == 0
        terms = found.terms
        return [found.live_pnl, found.replay_pnl, terms.total, terms.fees, terms.funding, Decimal(pairs)]


async def require_parts_add_up(traded: Traded) -> None:
    """Windows that follow each other have the sums of the whole; so has a strategy of a quarter of the weight."""
    whole = await traded.figures()
    assert whole[-1] == 10
    for middle in (4, 10, 15, 16, 26):  # flat before it, at the close of a fill and while a tenth is held
        parts = [await traded.figures(0, middle), await traded.figures(middle)]
        assert [sum(pair) for pair in zip(*parts, strict=True)] == whole, middle
    three = [await traded.figures(first, last) for first, last in ((0, 4), (4, 15), (15, HOURS))]
    assert [sum(each) for each in zip(*three, strict=True)] == whole
    report, _ = await traded.report(15)
    assert report.attribution is not None
    assert (report.attribution.terms.opening, report.days) == (Decimal(0), 1)  # both hold a tenth

    scaled, not_alike = await traded.report(15, weight="0.25")
    assert not_alike == ()
    assert (scaled.measured.fill_ratio, scaled.attribution) == (1.0, report.attribution)
    assert scaled.curve == report.curve
    assert [await traded.figures(0, 15, "0.25"), await traded.figures(15, HOURS, "0.25")] == [
        await traded.figures(0, 15), await traded.figures(15)
    ]  # fmt: skip


async def test_twenty_basis_points_worse_at_the_exchange_are_found_as_execution(tmp_path: Path) -> None:
    async with living(f"sqlite:///{tmp_path / 'store.db'}", place=BINANCE_USDM) as live:
        traded = Traded(live, to_ns(START))
        await traded.trade()
        await traded.followed()
        report, not_alike = await traded.report()
        assert not_alike == ()
        assert (report.verdict, report.measured.pairs, report.measured.fill_ratio) == (Verdict.FAIL, 10, 1.0)
        assert report.reasons[0].startswith("slippage in bps is 20")
        assert report.attribution is not None
        terms = report.attribution.terms
        marked = sum(QUANTITY * close_of(hour) for hour in DECIDED)
        assert terms.execution / marked * 10_000 == pytest.approx(Decimal(-20), abs=Decimal(1))
        assert {terms.unmatched, terms.fill, terms.arrival, terms.mark} == {Decimal(0)}
        assert terms.fees < 0  # the exchange charges twice what the model does
        paid = close_of(DECIDED[4]) * Decimal("1.002")  # funding is of the last price that was traded
        assert terms.funding == -QUANTITY * paid * Decimal("0.001")
        assert terms.total == report.attribution.live_pnl - report.attribution.replay_pnl
        books = await traded.books()
        equity = Replayed()
        for part in valued(live.market, books, [traded.bars]):
            equity.take(part)
        assert Decimal(equity.whole().equity) - 10_000 == report.attribution.live_pnl
        assert equity.whole().instruments[0].bars_digest == traded.bars.digest()
        await require_parts_add_up(traded)

        with pytest.raises(InvalidRequest, match="E_ACCOUNT_NOT_PAPER"):  # its own numbers are no evidence
            await traded.books(own_terms=False)
        with pytest.raises(InvalidRequest, match=r"E_FIELD.*starting_cash.*30000"):
            await traded.books(model=accountpb.AccountModel(starting_cash="30000"))
        await live.order("other", Side.BUY, "0.1", price=None)
        assert (await live.settle()).differences == []
        assert len((await traded.books()).orders) == 11  # the same strategy's
        theirs = sa.update(t.fills).where(t.fills.c.sequence == 11).values(strategy_id="s2")
        await live.db.write(lambda conn: conn.execute(theirs))
        with pytest.raises(InvalidRequest, match=r"E_ACCOUNT_OTHER_DATA.*funding of BTC/USDT:USDT, which others"):
            await traded.books()
