"""An account's own limits: what each binds, who may raise them, and that nobody overshoots them together."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brokerage.accounts import limits as accounts_limits
from brokerage.accounts import opening
from brokerage.accounts import store as accounts_store
from brokerage.accounts.wire import limits_from_proto, limits_to_proto
from brokerage.books.load import load_view
from brokerage.books.wire import capital_to_proto
from brokerage.domain.accounts.account import Account, AccountFeed, AccountType, TradingState
from brokerage.domain.accounts.limits import AccountLimits, Budget
from brokerage.domain.market.instrument import AssetClass, instrument
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.money import RATE_ONE
from brokerage.domain.orders.denials import Denial
from brokerage.domain.orders.order import NETTING, Order, OrderShare, Owner, Side
from brokerage.domain.orders.states import OrderType, TimeInForce
from brokerage.domain.risk.account_view import AccountView
from brokerage.feeds import show
from brokerage.market.context import MarketContext
from brokerage.orders.entry.netted import submit_netted
from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.core.errors import Conflict, InvalidRequest
from qmtl.core.modes import ExecutionDomain
from tests.brokerage.accounts.test_sharing import coin_bar, share
from tests.brokerage.orders.test_limits import market as margin_market
from tests.brokerage.samples import ACTOR, STOCK, Book, bar, open_book

MONEY = 10**8
COIN = instrument(
    "COIN-USD", base="COIN", quote="USD", lot="0.01", asset_class=AssetClass.CRYPTO, price_places=2, sector="coins"
)
MARKET = replace(margin_market(), instruments=Instruments([STOCK, COIN]))
COIN_FEED = AccountFeed("coins", "session-2", "COIN-USD", 60)
WORLDS = ("w1", "w2", "w3", "w4")
OWNERS = [Owner("acc", world, strategy) for world in WORLDS for strategy in ("s1", "s2")]


@asynccontextmanager
async def opened(url: str, market: MarketContext = MARKET) -> AsyncIterator[Book]:
    """An account of four worlds with 100,000, where a share costs 101 and a coin 10."""
    async with open_book(url, market) as book:
        await book.open()
        for world in WORLDS[1:]:
            await share(book, world)
        await book.db.write(lambda conn: opening.add_feed(conn, "acc", COIN_FEED, ACTOR, 9))
        await book.show(bar(0))
        source = (COIN_FEED.preset, COIN_FEED.session_id)
        await book.db.write(lambda conn: show.show_bars(conn, book.market, source, [coin_bar(0)], 0, 7))
        yield book


async def limit(book: Book, revision: int = 1, **given: object) -> None:
    wanted = AccountLimits(revision, **given)  # type: ignore[arg-type]  # the test names real fields
    await book.db.write(lambda conn: accounts_limits.set_account_limits(conn, "acc", wanted, ACTOR, 11))


def asked(
    name: str, quantity: int, side: Side = Side.BUY, owner: Owner = OWNERS[0], symbol: str = "AAPL", price: int = 0
) -> Order:
    made = Order(owner, name, symbol, side, Decimal(quantity))
    return replace(made, type=OrderType.LIMIT, limit_price=Decimal(price)) if price else made


def netted(name: str, symbol: str, sizes: dict[Owner, int]) -> Order:
    """One order for several strategies, at a limit that is far beyond the mark."""
    parts = sorted((owner.world_id, owner.strategy_id, size) for owner, size in sizes.items())
    shares = tuple(OrderShare(world, strategy, Decimal(size), 1, reduce_only=False) for world, strategy, size in parts)
    net = sum(sizes.values())
    side, price = (Side.SELL, 1) if net < 0 else (Side.BUY, 110 if symbol == "AAPL" else 12)
    return Order(
        Owner("acc", NETTING, NETTING), name, symbol, side, Decimal(abs(net)), OrderType.LIMIT, TimeInForce.IOC,
        Decimal(price), shares=shares,
    )  # fmt: skip


async def told(book: Book, wanted: Order) -> tuple[Denial | None, str]:
    if wanted.shares:
        domain = ExecutionDomain.DRYRUN
        record = (await book.db.write(lambda conn: submit_netted(conn, book.market, wanted, domain, 6)))[0].record
    else:
        record = (await book.submit(wanted)).record
    return record.denial, record.detail


async def denial(book: Book, wanted: Order) -> Denial | None:
    return (await told(book, wanted))[0]


async def test_each_limit_binds_with_its_rule_and_numbers(database_url: str) -> None:
    async with opened(database_url) as book:
        await limit(book, 1, gross_max=5_000 * MONEY)
        assert await told(book, asked("a", 50)) == (
            Denial.EXPOSURE_ABOVE_LIMIT,
            "gross exposure of the account 5050 USD would be above gross_max 5000 USD",
        )
        await limit(book, 2, net_max=5_000 * MONEY)
        assert await told(book, asked("b", 50, Side.SELL)) == (
            Denial.EXPOSURE_ABOVE_LIMIT,
            "net exposure of the account 5050 USD would be above net_max 5000 USD",
        )
        await limit(book, 3, leverage_max=RATE_ONE // 10)
        assert await told(book, asked("c", 100)) == (
            Denial.LEVERAGE_ABOVE_LIMIT,
            "gross exposure of the account 10100 USD would be above leverage_max 0.1 times the equity 100000 USD",
        )
        await limit(book, 4, symbol_max=RATE_ONE // 10)
        assert await told(book, asked("d", 100)) == (
            Denial.CONCENTRATION_ABOVE_LIMIT,
            "net exposure in AAPL 10100 USD would be above symbol_max 0.1 times the equity 100000 USD",
        )
        await limit(book, 5, sector_max=RATE_ONE // 10)
        assert await told(book, asked("e", 100)) == (
            Denial.CONCENTRATION_ABOVE_LIMIT,
            "net exposure in sector ? 10100 USD would be above sector_max 0.1 times the equity 100000 USD",
        )
        assert await denial(book, asked("f", 1_000, symbol="COIN-USD")) is None
        assert await denial(book, asked("g", 1, symbol="COIN-USD")) is Denial.CONCENTRATION_ABOVE_LIMIT
        await limit(book, 6, budgets=(Budget("w1", "", 12_000 * MONEY), Budget("w2", "s2", 0)))
        assert await told(book, asked("h", 20)) == (
            Denial.BUDGET_ABOVE_LIMIT,
            "gross exposure of world w1 12020 USD would be above its budget 12000 USD",
        )
        assert await denial(book, asked("i", 1, owner=Owner("acc", "w2", "s1"))) is None
        assert await told(book, asked("j", 1, owner=Owner("acc", "w2", "s2"))) == (
            Denial.BUDGET_ABOVE_LIMIT,
            "gross exposure of world w2, strategy s2 101 USD would be above its budget 0 USD",
        )


async def test_symbols_are_netted_over_strategies_and_gross_is_not(database_url: str) -> None:
    async with opened(database_url) as book:
        await limit(book, symbol_max=RATE_ONE // 10, gross_max=15_000 * MONEY)
        assert await denial(book, asked("a", 90)) is None
        await book.show(bar(1))
        assert await denial(book, asked("b", 90, Side.SELL, OWNERS[1])) is Denial.EXPOSURE_ABOVE_LIMIT
        assert await denial(book, asked("c", 50, Side.SELL, OWNERS[1])) is None
        await book.show(bar(2))
        assert await denial(book, asked("d", 10)) is Denial.EXPOSURE_ABOVE_LIMIT
        await limit(book, 2, symbol_max=RATE_ONE // 10)
        assert await denial(book, asked("e", 50)) is None


async def test_of_two_worlds_that_reserve_at_once_one_is_taken(database_url: str) -> None:
    """The worked reservation at a tenth: of 100,000 at a leverage of 1.5, with 90,000 held, two buys of 40,000."""
    async with opened(database_url) as book:
        await limit(book, leverage_max=RATE_ONE * 3 // 2)
        for number, owner in enumerate((OWNERS[0], OWNERS[2])):
            assert await denial(book, asked(f"held-{number}", 4_500, owner=owner, symbol="COIN-USD")) is None
        wanted = [asked(f"at-once-{n}", 4_000, owner=OWNERS[n], symbol="COIN-USD") for n in (0, 2)]
        answers = await asyncio.gather(*(told(book, one) for one in wanted))
        (refused,) = [answer for answer in answers if answer[0] is not None]
        assert refused == (
            Denial.LEVERAGE_ABOVE_LIMIT,
            "gross exposure of the account 170000 USD would be above leverage_max 1.5 times the equity 100000 USD",
        )


async def test_what_only_reduces_passes_whatever_the_limits(database_url: str) -> None:
    async with opened(database_url) as book:
        await book.submit(asked("a", 90))
        await book.show(bar(1))
        await limit(
            book, gross_max=0, net_max=0, leverage_max=0, symbol_max=0, sector_max=0, budgets=(Budget("w1", "", 0),)
        )
        assert await denial(book, asked("b", 1)) is Denial.EXPOSURE_ABOVE_LIMIT
        assert await denial(book, asked("c", 90, Side.SELL)) is None
        assert await denial(book, asked("d", 1, Side.SELL)) is Denial.EXPOSURE_ABOVE_LIMIT


async def test_limits_move_by_revision_only_forward_and_are_kept(database_url: str) -> None:
    async with opened(database_url) as book:
        await limit(book, 3, gross_max=MONEY)
        await limit(book, 3, gross_max=MONEY)
        with pytest.raises(Conflict, match=r"E_LIMITS_STALE: limits of account acc stand at revision 3, got 3"):
            await limit(book, 3, gross_max=2 * MONEY)
        with pytest.raises(Conflict, match="E_LIMITS_STALE"):
            await limit(book, 2)
        kept = await book.db.read(lambda conn: accounts_store.account(conn, "acc").limits)
        assert kept == AccountLimits(3, gross_max=MONEY)
        await limit(book, 4, budgets=(Budget("w1", "s1", 5),))
        kept = await book.db.read(lambda conn: accounts_store.account(conn, "acc").limits)
        assert kept == AccountLimits(4, budgets=(Budget("w1", "s1", 5),))


AMOUNTS = st.none() | st.integers(0, 10**15)
BUDGETS = st.lists(
    st.builds(
        Budget,
        st.sampled_from(WORLDS),
        st.sampled_from(["", "s1"]),
        st.integers(0, 10**15),
        st.none() | st.integers(0, 9),
    ),
    max_size=4,
    unique_by=lambda budget: (budget.world_id, budget.strategy_id),
)


@given(
    st.builds(AccountLimits, st.integers(1, 2**62), *[AMOUNTS] * 5, BUDGETS.map(tuple)), st.sampled_from(["USD", "JPY"])
)
def test_limits_survive_the_wire(limits: AccountLimits, currency: str) -> None:
    message = limits_to_proto(limits, currency)
    assert limits_from_proto(message, limits.revision, currency) == limits


def test_capital_is_shown_of_the_world_asked_for() -> None:
    budgets = (
        Budget("a", "", 900, 5 * MONEY),
        Budget("a", "s", 900, 2 * MONEY),
        Budget("b", "", 900),
        Budget("c", "", 1, 0),
    )
    found = Account(
        "acc",
        AccountType.MARGIN,
        "paper",
        "USD",
        0,
        0,
        1,
        TradingState.ACTIVE,
        0,
        (),
        limits=AccountLimits(1, budgets=budgets),
    )
    rows = [(row.world_id, row.strategy_id, row.capital) for row in capital_to_proto(found, "")]
    assert rows == [("a", "", "5"), ("a", "s", "2"), ("c", "", "0")]
    assert [row.strategy_id for row in capital_to_proto(found, "a")] == ["", "s"]
    assert [(row.world_id, row.capital) for row in capital_to_proto(found, "new")] == [("new", "0")]
    assert capital_to_proto(replace(found, limits=AccountLimits()), "") == []
    assert capital_to_proto(replace(found, limits=AccountLimits(1, budgets=budgets[2:3])), "new") == []


def test_who_was_left_out_of_shares_has_a_budget_of_0() -> None:
    limits = AccountLimits(
        1, budgets=(Budget("a", "", 900, 5), Budget("a", "s", 400, 2), Budget("b", "", 70), Budget("c", "", 80, 8))
    )

    def most(world: str, strategy: str) -> list[int]:
        return [one.gross_max for one in limits.budgets_of(world, strategy)]

    assert (most("a", "s"), most("a", "other")) == ([900, 400], [900, 0])
    assert most("c", "any") == [80], "its strategies share the world's"
    assert (most("b", "s"), most("new", "s")) == ([70, 0], [0])
    assert (most("a", "@operator"), most("@operator", "@operator")) == ([900], []), "people have no share"
    assert (most("a", "@overlay"), most("@netting", "@netting")) == ([0], []), "a hedge without a share"
    hedged = replace(limits, budgets=(*limits.budgets, Budget("c", "@overlay", 30, 3)))
    assert [one.gross_max for one in hedged.budgets_of("c", "@overlay")] == [30], "its world's budget is not its own"
    assert [one.gross_max for one in hedged.budgets_of("c", "any")] == [80], "and its share is none of a strategy's"
    only = AccountLimits(1, budgets=(Budget("b", "", 70),))
    assert only.budgets_of("b", "@overlay") == ()
    assert [one.gross_max for one in only.budgets_of("new", "s")] == [], "nothing is shared out"


@pytest.mark.parametrize(
    ("message", "revision", "want"),
    [
        (accountpb.AccountLimits(), 0, r"E_FIELD: revision is 0, want 1 or more"),
        (accountpb.AccountLimits(gross_max="-1"), 1, r"E_DECIMAL: limits.gross_max is -1, want 0 or more"),
        (accountpb.AccountLimits(leverage_max="1.123456789"), 1, "E_DECIMAL"),
        (accountpb.AccountLimits(symbol_max="NaN"), 1, r"E_DECIMAL: limits.symbol_max"),
        (accountpb.AccountLimits(budgets=[accountpb.AccountBudget(world_id="w")]), 1, r"limits.budgets\[0\].gross_max"),
        (accountpb.AccountLimits(budgets=[accountpb.AccountBudget(gross_max="1")]), 1, r"limits.budgets\[0\].world_id"),
        (accountpb.AccountLimits(budgets=[accountpb.AccountBudget(world_id="w", gross_max="1")] * 2), 1, "twice"),
    ],
)
def test_limits_that_are_none_are_refused_by_field(message: accountpb.AccountLimits, revision: int, want: str) -> None:
    with pytest.raises(InvalidRequest, match=want):
        limits_from_proto(message, revision, "USD")


def beyond(view: AccountView, limits: AccountLimits) -> list[str]:
    """Limits that the account's positions and open orders could come to break, computed apart from the rule."""
    equity = view.equity()
    worst: dict[tuple[Owner, str], tuple[int, int]] = {}
    for owner, book in view.books.items():
        for symbol in book.symbols():
            known, price = view.instruments.find(symbol), view.marks[symbol].price
            assert known is not None
            held = book.held(symbol)
            up = held + book.open_totals(symbol, Side.BUY).quantity
            down = held - book.open_totals(symbol, Side.SELL).quantity
            worst[owner, symbol] = known.notional(price, up), known.notional(price, down)

    def gross(world: str = "", strategy: str = "") -> int:
        return sum(
            max(abs(up), abs(down))
            for (owner, _), (up, down) in worst.items()
            if world in ("", owner.world_id) and strategy in ("", owner.strategy_id)
        )

    def net(symbols: set[str]) -> int:
        parts = [sides for (_, symbol), sides in worst.items() if symbol in symbols]
        return max(sum(up for up, _ in parts), -sum(down for _, down in parts), 0)

    every = {"AAPL", "COIN-USD"}
    checks = [
        ("gross", gross(), limits.gross_max),
        ("net", net(every), limits.net_max),
        ("leverage", gross() * RATE_ONE, None if limits.leverage_max is None else limits.leverage_max * equity),
    ]
    for symbol in every:  # each is a sector of its own
        for name, most in (("symbol", limits.symbol_max), ("sector", limits.sector_max)):
            checks.append((f"{name} {symbol}", net({symbol}) * RATE_ONE, None if most is None else most * equity))
    checks += [(str(one), gross(one.world_id, one.strategy_id), one.gross_max) for one in limits.budgets]
    return [name for name, amount, most in checks if most is not None and amount > most]


@pytest.mark.parametrize("seed", range(4))
async def test_64_orders_at_once_of_8_strategies_in_4_worlds_never_overshoot(database_url: str, seed: int) -> None:
    drawn = random.Random(seed)

    def dollars() -> int | None:
        return drawn.choice([None, drawn.randint(1_000, 60_000) * MONEY])

    def share() -> int | None:
        return drawn.choice([None, drawn.randint(RATE_ONE // 20, RATE_ONE)])

    whose = {(drawn.choice(WORLDS), drawn.choice(["", "s1"])) for _ in range(4)}
    budgets = tuple(Budget(world, strategy, drawn.randint(0, 20_000) * MONEY) for world, strategy in sorted(whose))
    limits = AccountLimits(1, dollars(), dollars(), share(), share(), share(), budgets)
    wanted: list[Order] = []
    for number in range(64):
        symbol, dear = drawn.choice([("AAPL", 1), ("COIN-USD", 10)])
        side, owner = drawn.choice(list(Side)), drawn.choice(OWNERS)
        if drawn.random() < 0.25:
            sizes = {owner: drawn.randint(-60, 60) * dear for owner in drawn.sample(OWNERS, drawn.randint(2, 5))}
            wanted.append(netted(f"o{number}", symbol, {owner: size for owner, size in sizes.items() if size}))
        else:
            wanted.append(asked(f"o{number}", drawn.randint(1, 120) * dear, side, owner, symbol))
    async with opened(database_url) as book:
        await book.db.write(lambda conn: accounts_limits.set_account_limits(conn, "acc", limits, ACTOR, 11))
        answers = await asyncio.gather(*(denial(book, order) for order in wanted))
        assert beyond(await view_of(book), limits) == []
        assert None in answers
        assert set(answers) > {None}
        await book.show(bar(1))
        amounts = replace(limits, leverage_max=None, symbol_max=None, sector_max=None)
        assert beyond(await view_of(book), amounts) == []
        await book.verify()


async def view_of(book: Book) -> AccountView:
    return await book.db.read(lambda conn: load_view(conn, book.market, accounts_store.account(conn, "acc")))
