"""The account at a venue: who may open it, and that nothing trades before it was compared."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal

import pytest
import sqlalchemy as sa

from brokerage import schema as t
from brokerage.accounts import at_venues
from brokerage.accounts import store as accounts_store
from brokerage.accounts.trading_state import set_trading_state
from brokerage.config import Settings
from brokerage.domain.accounts.account import Account, TradingState
from brokerage.domain.market.instrument import Instrument, instrument
from brokerage.domain.market.symbols import Instruments, Source
from brokerage.domain.models.profiles.crypto import binance_spot, kraken_spot
from brokerage.domain.models.slippage.model import ConstantSlippage
from brokerage.domain.money import rate
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.states import OrderType, TimeInForce
from brokerage.market import listed
from brokerage.market.configured import market_of
from brokerage.venues import states
from brokerage.venues.ccxt.dialects.binance import SPOT
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.core.errors import Conflict, InvalidRequest, NotFound, NotReady
from tests.brokerage.exchange_mesh import account_request, at, bitcoin
from tests.brokerage.samples import ACCOUNT, ACTOR, Book, open_book, order

COIN = instrument("COIN", base="COIN", quote="USD", tick="0.1", lot="0.01", quantity_places=8)
MARKET = market_of(Settings(venues=at("http://127.0.0.1:1")), {"binance": SPOT}, ["gone"])  # type: ignore[arg-type]


@pytest.fixture
async def book(database_url: str) -> AsyncIterator[Book]:
    async with open_book(database_url) as made:
        yield made


async def opened(book: Book, wanted: Account, *worlds: str) -> Account:
    return await book.db.write(lambda conn: at_venues.open_at_venue(conn, wanted, list(worlds), ACTOR, accounts_max=10))


def drafted(**changes: str) -> Account:
    request = account_request()
    request.account = "live"
    request.MergeFrom(accountservicepb.OpenVenueAccountRequest(**changes))
    return at_venues.draft(MARKET, request, 7)


async def test_a_venue_has_one_account_and_a_repeat_answers_it(book: Book) -> None:
    first = await opened(book, drafted(), "w1", "w2")
    assert (first.trading_state, first.starting_cash) == (TradingState.HALTED, 0)
    assert await opened(book, drafted(), "w2") == first
    for wanted, worlds in (
        (drafted(account="other"), ["w1"]),
        (drafted(), ["w3"]),
        (drafted(fee_rate="0.002"), ["w1"]),
    ):
        with pytest.raises(Conflict, match="E_ACCOUNT_CONFLICT"):
            await opened(book, wanted, *worlds)
    assert await book.db.read(accounts_store.venues) == ["binance"]


async def test_it_trades_once_a_comparison_left_nothing_unexplained(book: Book) -> None:
    await opened(book, drafted(), "w1")

    async def state(wanted: TradingState) -> TradingState:
        done = await book.db.write(lambda conn: set_trading_state(conn, "live", wanted, "", ACTOR, 9))
        return done.trading_state

    async def compared(*differences: str) -> TradingState:
        await book.db.write(lambda conn: states.compared(conn, "live", differences, 11))
        return (await book.db.read(lambda conn: accounts_store.account(conn, "live"))).trading_state

    with pytest.raises(NotReady, match="E_VENUE_NOT_COMPARED"):
        await state(TradingState.ACTIVE)
    assert await compared("USDT: 5 beyond the books") is TradingState.HALTED
    assert await compared() is TradingState.ACTIVE
    assert await state(TradingState.HALTED) is TradingState.HALTED
    assert await compared() is TradingState.HALTED  # an operator's word holds
    assert await state(TradingState.ACTIVE) is TradingState.ACTIVE


@pytest.mark.parametrize("wanted", [TradingState.HALTED, TradingState.REDUCING])
async def test_what_was_set_by_hand_before_the_first_comparison_holds_after_it(
    book: Book, wanted: TradingState
) -> None:
    await opened(book, drafted(), "w1")
    await book.db.write(lambda conn: set_trading_state(conn, "live", wanted, "", ACTOR, 9))
    await book.db.write(lambda conn: states.compared(conn, "live", [], 11))
    found = await book.db.read(lambda conn: accounts_store.account(conn, "live"))
    assert found.trading_state is wanted
    done = await book.db.write(lambda conn: set_trading_state(conn, "live", TradingState.ACTIVE, "", ACTOR, 12))
    assert done.trading_state is TradingState.ACTIVE


@pytest.mark.parametrize(
    ("field", "value", "error"),
    [
        ("venue", "mars", NotFound),
        ("venue", "paper", InvalidRequest),
        ("account", "A", InvalidRequest),
        ("base_currency", "usdt", InvalidRequest),
        ("fee_rate", "0.2", InvalidRequest),
        ("profile", "nobody", InvalidRequest),
    ],
)
def test_what_cannot_be_opened_is_refused(field: str, value: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        drafted(**{field: value})


def test_the_fees_reserved_are_the_exchanges_unless_others_are_asked_for_and_none_are_guessed() -> None:
    exchange, own, named = drafted(), drafted(fee_rate="0.002"), drafted(profile="kraken_spot")
    assert [one.profile for one in (exchange, own, named)] == ["binance_spot", "", "kraken_spot"]
    assert MARKET.of(exchange).profile_of(exchange).fee == binance_spot().fee
    assert own.fee_rate == rate("0.002")
    assert exchange.leverage == 1
    with pytest.raises(InvalidRequest, match="the fees of venue gone are not known"):
        drafted(venue="gone")


def test_what_only_replays_have_is_the_settings_at_an_exchange() -> None:
    terms = {"slippage": "0.0005", "participation": "0.05", "limit_fill": "at"}
    costs = Settings(venues=at("http://127.0.0.1:1"), **terms)  # type: ignore[arg-type]
    market = market_of(costs, {"binance": SPOT}).at("binance")
    for wanted, fees in ((drafted(), binance_spot().fee), (drafted(profile="kraken_spot"), kraken_spot().fee)):
        made = market.profile_of(wanted)
        assert (made.fee, made.slippage, made.participation) == (fees, ConstantSlippage(50_000), 5_000_000)
        assert (made.limits_at_touch, made.asset_classes) == (True, binance_spot().asset_classes)
    paper = replace(ACCOUNT, profile="kraken_spot")
    assert market_of(costs).profile_of(paper) == replace(kraken_spot(), leverage=paper.leverage)


async def test_the_record_of_an_opening_says_the_fees(book: Book) -> None:
    await opened(book, drafted(), "w1")
    await opened(book, replace(drafted(fee_rate="0.002"), account="other", venue="second"), "w1")
    query = sa.select(t.audit_log.c.detail).where(t.audit_log.c.act == "open_venue_account")
    details = await book.db.read(lambda conn: conn.execute(query.order_by(t.audit_log.c.id)).scalars().all())
    assert details == [
        "venue binance, worlds w1, fees of profile binance_spot",
        "venue second, worlds w1, fee 0.002",
    ]


def test_worlds_are_named_once_each() -> None:
    for names in ([], ["w1", "w1"], [f"w{number}" for number in range(101)]):
        with pytest.raises(InvalidRequest, match="E_FIELD"):
            at_venues.worlds_from(accountservicepb.OpenVenueAccountRequest(world_ids=names))
    with pytest.raises(InvalidRequest, match="world_ids is @operator, want a world") as caught:
        at_venues.worlds_from(accountservicepb.OpenVenueAccountRequest(world_ids=["w1", "@operator"]))
    assert caught.value.reason == "E_NAME"


def test_an_account_of_a_venue_that_is_set_up_no_more_is_told() -> None:
    with pytest.raises(NotReady, match="E_VENUE_UNCONFIGURED"):
        MARKET.of(replace(ACCOUNT, venue="never"))
    assert MARKET.of(replace(ACCOUNT, venue="gone")).kind.value == "SHUT"
    assert MARKET.of(replace(ACCOUNT, venue="binance")).of(ACCOUNT) is MARKET.at("")


def test_what_a_venue_does_not_take_is_denied_by_name() -> None:
    there = MARKET.at("binance")
    day = there.unsupported(replace(bitcoin("o1"), tif=TimeInForce.DAY))
    trailing = there.unsupported(replace(bitcoin("o1"), type=OrderType.TRAILING_STOP))
    assert day is not None
    assert day.denial is Denial.TIME_IN_FORCE_UNSUPPORTED
    assert trailing is not None
    assert trailing.denial is Denial.ORDER_TYPE_UNSUPPORTED
    assert there.unsupported(bitcoin("o1")) is None
    resting = replace(bitcoin("o1"), type=OrderType.LIMIT, limit_price=Decimal(1), post_only=True)
    assert there.unsupported(resting) is None
    without = replace(there, traits=replace(there.traits, post_only=False)).unsupported(resting)
    assert without is not None
    assert (without.denial, without.message) == (
        Denial.POST_ONLY_UNSUPPORTED,
        "venue binance takes no post-only orders",
    )
    assert MARKET.unsupported(replace(order("o1"), type=OrderType.TRAILING_STOP)) is None


async def test_what_a_venue_lists_is_kept_and_a_change_is_told(book: Book) -> None:
    finer = replace(COIN, lot=COIN.lot // 10, tick=COIN.tick // 10)

    async def learn(one: Instrument, at_ns: int) -> list[str]:
        return await book.db.write(lambda conn: listed.learn(conn, "binance", [one], at_ns))

    assert await learn(COIN, 5) == []
    assert await learn(COIN, 6) == []
    assert await book.db.read(lambda conn: listed.learnt_ns(conn, "binance")) == 5
    (told,) = await learn(finer, 7)
    assert "tick" in told
    assert "lot" in told
    assert await book.db.read(lambda conn: listed.load_listed(conn, "binance")) == [finer]
    (told,) = await learn(replace(finer, quantity_scale=finer.quantity_scale + 1), 8)
    assert "places" in told
    assert await book.db.read(lambda conn: listed.load_listed(conn, "binance")) == [finer]
    assert await book.db.read(lambda conn: listed.load_listed(conn, "other")) == []


def test_the_list_of_a_venue_is_first() -> None:
    tables: dict[str, Instruments] = {}
    mine = tables["binance"] = Instruments([], "binance", tables)
    paper = Instruments([COIN], "paper", tables)
    assert mine.find("AAPL") is not None
    mine.learn([replace(COIN, symbol="X/Y")])
    assert mine.find("AAPL") is None
    assert [one.symbol for one in mine.listed()] == ["X/Y"]
    assert (mine.source("X/Y"), paper.source(COIN.symbol), paper.source("AAPL")) == (
        Source.VENUE,
        Source.CONFIGURATION,
        Source.TABLE,
    )
    assert (paper.at("binance"), paper.at("paper")) == (mine, paper)
    assert paper.find("X/Y") is None
    assert paper.anywhere("X/Y") is not None
