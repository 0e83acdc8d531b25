"""The books follow the venue, whatever was lost on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import Connection

from brokerage.accounts.cash import load_cash
from brokerage.domain.orders.order import EXTERNAL, OrderName, Side
from brokerage.domain.orders.states import OrderState
from brokerage.domain.risk.fence import FenceState
from brokerage.fences.change import set_fence
from brokerage.orders.entry.protection import accounts_to_narrow, narrow_account
from brokerage.venues.dispatch import send
from brokerage.venues.reconcile.compare import kept
from brokerage.venues.reconcile.reconcile import APART_S
from qmtl.core.instants import to_ns
from qmtl.core.modes import EffectiveMode
from tests.brokerage.samples import ACTOR, fence
from tests.brokerage.venues.reconcile.live import OWNER, Live, living
from tests.brokerage.venues.reconcile.places import KRAKEN
from tests.exchange.core.faults import Trouble
from tests.exchange.core.values import Ask
from tests.exchange.core.values import Side as ExchangeSide


@pytest.fixture
async def live(tmp_path: Path) -> AsyncIterator[Live]:
    async with living(f"sqlite:///{tmp_path / 'store.db'}") as found:
        yield found


async def cash(live: Live) -> dict[str, Decimal]:
    held = await live.db.read(lambda conn: load_cash(conn, OWNER.account))
    return {currency: Decimal(amount).scaleb(-8) for currency, amount in held.items()}


async def test_an_account_begins_with_what_the_venue_has(live: Live) -> None:
    assert await cash(live) == {"USDT": Decimal(10_000), "BTC": Decimal(1)}
    assert (await live.reconciler.reconcile()).differences == []
    await live.require_books_of_the_exchange()


async def test_fills_of_our_orders_are_booked_with_their_fees(live: Live) -> None:
    await live.order("o1")
    await live.dispatch()
    live.exchange.quote("BTCUSDT", "96", "97", size="0.04")
    assert (await live.reconciler.reconcile()).fills_booked == 1
    assert (await live.records())["o1"].state is OrderState.PARTIALLY_FILLED
    live.exchange.quote("BTCUSDT", "96", "97")
    assert (await live.reconciler.reconcile()).fills_booked == 1
    assert (await live.records())["o1"].state is OrderState.FILLED
    await live.require_books_of_the_exchange()


async def test_what_is_booked_is_not_booked_again(live: Live) -> None:
    await live.order("o1", price=None)
    await live.dispatch()
    assert (await live.reconciler.reconcile()).fills_booked == 1
    live.restart()
    found = await live.reconciler.reconcile()
    assert (found.fills_booked, found.orders_resolved, found.differences) == (0, 0, [])


async def test_orders_of_another_client_are_kept_as_external(live: Live) -> None:
    live.exchange.place("client", Ask("BTCUSDT", ExchangeSide.SELL, Decimal("0.5"), "web_1", Decimal(110)))
    live.exchange.place("client", Ask("BTCUSDT", ExchangeSide.SELL, Decimal("0.1"), "web_2"))
    await live.reconciler.reconcile()
    records = await live.records()
    found = {record.order.tags: record for record in records.values() if record.order.owner.strategy_id == EXTERNAL}
    assert {tags: record.state for tags, record in found.items()} == {
        ("web_1",): OrderState.ACCEPTED,
        ("web_2",): OrderState.FILLED,
    }
    assert (await live.reconciler.reconcile()).differences == []
    await live.require_books_of_the_exchange()


async def test_no_fence_of_ours_ends_the_orders_of_another_client(live: Live) -> None:
    await live.order("o1")
    await live.dispatch()
    live.exchange.place("client", Ask("BTCUSDT", ExchangeSide.BUY, Decimal("0.1"), "web_1", Decimal(90)))
    await live.reconciler.reconcile()

    def asked_for(conn: Connection) -> list[str]:
        return accounts_to_narrow(conn, live.market.venue, live.market.kind)

    assert await live.db.read(asked_for) == []
    frozen = fence(2, FenceState.FROZEN, EffectiveMode.LIVE)
    await live.db.write(lambda conn: set_fence(conn, frozen, ACTOR, 6))
    assert await live.db.read(asked_for) == [OWNER.account]
    await live.db.write(lambda conn: narrow_account(conn, live.market, OWNER.account, 7))
    await live.dispatch()
    [left] = live.exchange.open_orders("client")
    assert left.ask.client_id == "web_1"


async def test_an_order_that_another_client_ended_has_ended(live: Live) -> None:
    await live.order("o1")
    await live.dispatch()
    [order] = live.exchange.open_orders("client")
    live.exchange.cancel(order)
    assert (await live.reconciler.reconcile()).orders_resolved == 1
    assert (await live.records())["o1"].state is OrderState.CANCELED


@pytest.mark.parametrize("trouble", [Trouble.TOO_MANY, Trouble.BANNED])
async def test_a_cancel_that_the_venue_did_not_look_at_is_sent_again(live: Live, trouble: Trouble) -> None:
    await live.order("o1")
    await live.dispatch()
    live.client.plan("DELETE order", trouble)
    await live.cancel("o1")
    await live.settle()
    assert (await live.records())["o1"].state is OrderState.CANCELED
    assert live.exchange.open_orders("client") == []


async def test_a_trade_with_oneself_is_two_fills_of_one_id(live: Live) -> None:
    await live.order("o1", price="100")
    live.exchange.place("client", Ask("BTCUSDT", ExchangeSide.SELL, Decimal("0.1"), "web", Decimal(100)))
    await live.dispatch()
    assert (await live.reconciler.reconcile()).fills_booked == 2
    assert {fill[1] for fill in await live.booked()} == {"1"}
    await live.require_books_of_the_exchange()


async def test_trade_ids_of_two_symbols_are_two_trades(live: Live) -> None:
    for symbol, quantity in (("BTCUSDT", "0.1"), ("ETHUSDT", "1")):
        live.exchange.place("client", Ask(symbol, ExchangeSide.BUY, Decimal(quantity), f"web_{symbol}"))
    await live.reconciler.reconcile()
    assert [fill[:2] for fill in await live.booked()] == [("BTC/USDT", "1"), ("ETH/USDT", "1")]


async def test_a_transfer_is_told_first_and_booked_when_it_is_seen_again(live: Live) -> None:
    live.exchange.transfer("client", "USDT", "-250.5")
    before = await cash(live)
    for seconds in (0.0, 2.0, APART_S - 2.1):  # a trade may be listed late
        live.advance(seconds)
        assert (await live.reconciler.reconcile()).differences == ["USDT: the venue has -250.5 beyond the books"]
        assert await cash(live) == before
    live.advance(0.1)
    booked = ["USDT: the venue has -250.5 beyond the books, booked as a transfer"]
    assert (await live.reconciler.reconcile()).differences == booked
    assert (await live.reconciler.reconcile()).differences == []
    assert (await cash(live))["USDT"] == Decimal("9749.5")
    await live.require_books_of_the_exchange()


@pytest.mark.parametrize("sign", ["", "-"])
async def test_what_the_books_cannot_hold_of_a_balance_is_told_and_the_rest_is_kept(tmp_path: Path, sign: str) -> None:
    dust = f"USD: {sign}0.0000000056 of the venue's balance is less than the books can hold"
    listed = f"USD: the venue has {sign}0.00001234 beyond the books"
    async with living(f"sqlite:///{tmp_path / 'store.db'}", place=KRAKEN) as live:
        held = (await cash(live))["USD"]
        live.exchange.transfer("client", "USD", f"{sign}0.0000123456")
        for told in ([listed], [f"{listed}, booked as a transfer"], [], []):
            live.advance(10)
            found = await live.reconciler.reconcile()
            assert (found.differences, found.remainders) == (told, [dust])
        assert (await cash(live))["USD"] == held + Decimal(f"{sign}0.00001234")


def test_no_digit_of_a_large_balance_is_lost() -> None:
    amounts = {"A": Decimal("1234567890123456789012345678.0123456789"), "B": Decimal("-1e-9"), "C": Decimal(7)}
    fits = {"A": Decimal("1234567890123456789012345678.01234567"), "C": Decimal(7)}
    assert kept(amounts) == (fits, {"A": Decimal("89e-10"), "B": Decimal("-1e-9")})


async def test_what_differs_by_another_amount_is_waited_for_anew(live: Live) -> None:
    for amount, told in (("1", "1"), ("1", "2")):
        live.exchange.transfer("client", "USDT", amount)
        assert (await live.reconciler.reconcile()).differences == [f"USDT: the venue has {told} beyond the books"]
        live.advance(APART_S - 1)
    assert (await live.reconciler.reconcile()).differences == ["USDT: the venue has 2 beyond the books"]


async def test_fees_in_a_third_currency_are_paid_from_it(live: Live) -> None:
    live.exchange.transfer("client", "BNB", "1")
    live.exchange.accounts["client"].fee_asset = "BNB"
    await live.compare(2)
    await live.order("o1", price=None)
    await live.dispatch()
    assert (await live.reconciler.reconcile()).differences == []
    assert (await cash(live))["BNB"] == Decimal("0.9899")


async def test_an_order_that_the_venue_lists_no_longer_is_known_by_its_trades(live: Live) -> None:
    live.exchange.place("client", Ask("BTCUSDT", ExchangeSide.BUY, Decimal("0.1"), "web"))
    live.exchange.orders.pop(("BTCUSDT", max(number for symbol, number in live.exchange.orders if symbol == "BTCUSDT")))
    assert (await live.reconciler.reconcile()).fills_booked == 1
    [record] = (await live.records()).values()
    assert (record.state, record.order.tags[0][0]) == (OrderState.FILLED, "#")
    assert (await live.reconciler.reconcile()).differences == []


@pytest.mark.parametrize("trouble", [Trouble.CUT_AFTER, Trouble.BROKEN_AFTER, Trouble.UNSURE_AFTER, Trouble.CUT_BEFORE])
async def test_an_order_whose_answer_is_lost_is_there_once_or_ended(live: Live, trouble: Trouble) -> None:
    live.client.plan("POST order", trouble)
    await live.order("o1")
    await live.settle()
    assert (await live.records())["o1"].state is (OrderState.ACCEPTED if trouble.done else OrderState.CANCELED)
    await live.require_books_of_the_exchange()


async def test_an_order_that_filled_while_its_answer_was_lost_is_not_sent_again(live: Live) -> None:
    live.client.plan("POST order", Trouble.CUT_AFTER)
    await live.order("o1", price=None)
    await live.settle()
    assert (await live.records())["o1"].state is OrderState.FILLED
    await live.require_books_of_the_exchange()


async def test_a_sale_of_what_was_bought_comes_back_to_cash(live: Live) -> None:
    await live.order("o1", price=None)
    await live.settle()
    await live.order("o2", Side.SELL, "0.09", price=None)
    await live.settle()
    assert {name: record.state for name, record in (await live.records()).items()} == {
        "o1": OrderState.FILLED,
        "o2": OrderState.FILLED,
    }
    await live.require_books_of_the_exchange()


async def test_a_replaced_order_works_once_and_its_fills_are_one_orders(live: Live) -> None:
    await live.order("o1", quantity="0.2")
    await live.dispatch()
    live.exchange.quote("BTCUSDT", "96", "97", size="0.05")
    live.exchange.quote("BTCUSDT", "99", "101")
    await live.reconciler.reconcile()
    await live.replace("o1", quantity="0.3", limit_price="97")
    await live.dispatch()
    record = (await live.records())["o1"]
    assert (record.state, record.generation) == (OrderState.PARTIALLY_FILLED, 1)
    works = [(one.left, one.ask.price) for one in live.exchange.open_orders("client")]
    assert works == [(Decimal("0.25"), Decimal(97))]
    live.exchange.quote("BTCUSDT", "95", "96")
    await live.settle()
    assert (await live.records())["o1"].state is OrderState.FILLED
    assert sum(fill[3] for fill in await live.booked()) == 30_000_000


@pytest.mark.parametrize("trouble", [Trouble.CUT_AFTER, Trouble.CUT_BEFORE])
async def test_a_replace_whose_answer_is_lost_is_not_taken_for_a_cancel(live: Live, trouble: Trouble) -> None:
    await live.order("o1", quantity="0.2")
    await live.dispatch()
    live.client.plan("POST cancelReplace", trouble)
    await live.replace("o1", quantity="0.3")
    await live.dispatch()
    assert (await live.reconciler.reconcile()).differences == []
    assert not (await live.records())["o1"].closed
    await live.settle()
    works = [one.ask.quantity for one in live.exchange.open_orders("client")]
    assert works == [Decimal("0.3") if trouble.done else Decimal("0.2")]
    assert (await live.records())["o1"].state is OrderState.ACCEPTED


@pytest.mark.parametrize(("late_s", "arrives"), [(1.5, True), (2.5, False)])
async def test_an_order_that_was_held_up_is_not_given_up_before_the_venue_would_refuse_it(
    live: Live, late_s: float, arrives: bool
) -> None:
    live.client.plan("POST order", Trouble.HELD)
    await live.order("o1")
    await live.dispatch()
    live.advance(late_s)
    await live.dispatch()
    await live.reconciler.reconcile()
    assert (await live.records())["o1"].state is OrderState.SUBMITTED
    await live.exchange.faults.deliver()
    await live.settle()
    assert (await live.records())["o1"].state is (OrderState.ACCEPTED if arrives else OrderState.CANCELED)
    await live.require_books_of_the_exchange()


async def test_a_replace_that_is_held_up_is_not_taken_for_a_cancel(live: Live) -> None:
    await live.order("o1", quantity="0.2")
    await live.dispatch()
    live.client.plan("POST cancelReplace", Trouble.HELD)
    await live.replace("o1", quantity="0.3")
    await live.dispatch()
    for _ in range(4):  # in doubt after 0.3 s, asked after as much again
        live.advance(0.35)
        await live.dispatch(1)
    assert not (await live.records())["o1"].closed
    await live.exchange.faults.deliver()
    await live.settle()
    assert (await live.records())["o1"].state is OrderState.ACCEPTED
    assert [one.ask.quantity for one in live.exchange.open_orders("client")] == [Decimal("0.3")]


async def test_trades_of_one_millisecond_are_all_booked(live: Live) -> None:
    for number in range(2):
        live.exchange.place("client", Ask("BTCUSDT", ExchangeSide.BUY, Decimal("0.1"), f"web_{number}"))
        assert (await live.reconciler.reconcile()).fills_booked == 1


async def test_an_order_that_works_there_and_has_ended_here_is_told(live: Live) -> None:
    await live.order("o1", price=None)
    await live.settle()
    identity = (await live.records())["o1"].id
    live.exchange.place("client", Ask("BTCUSDT", ExchangeSide.BUY, Decimal("0.1"), identity, Decimal(90)))
    [told] = (await live.reconciler.reconcile()).differences
    assert "works there and is FILLED here" in told


async def test_both_stores_keep_the_books_of_a_venue(database_url: str) -> None:
    async with living(database_url) as live:
        await live.order("o1", price="100")
        live.exchange.place("client", Ask("BTCUSDT", ExchangeSide.SELL, Decimal("0.1"), "web", Decimal(100)))
        await live.settle()
        live.exchange.transfer("client", "USDT", "1")
        assert (await live.settle()).differences == []
        await live.require_books_of_the_exchange()


async def test_a_fill_lets_the_exit_that_waits_for_it_go(live: Live) -> None:
    await live.bracket()
    await live.dispatch()
    live.exchange.quote("BTCUSDT", "96", "97")
    assert (await live.reconciler.reconcile()).fills_booked == 1
    assert (await live.records())["target"].state is OrderState.RELEASED
    await live.dispatch()
    assert (await live.records())["target"].state is OrderState.ACCEPTED


async def test_an_order_that_is_on_its_way_is_not_taken_for_absent(live: Live) -> None:
    stored = await live.order("o1")
    name, identity = OrderName(OWNER, "o1"), stored.record.id
    assert await live.db.write(lambda conn: send.to_wire(conn, live.market, name, identity, to_ns(live.clock.now())))
    for _ in range(3):
        await live.reconciler.reconcile()
        live.advance(10)
    assert (await live.records())["o1"].state is OrderState.SUBMITTED


async def test_a_trade_that_is_listed_hours_after_a_later_one_is_booked(live: Live) -> None:
    live.exchange.unlisted.add(("BTCUSDT", 1))
    await live.order("o1", price=None)
    await live.settle()
    assert (await live.records())["o1"].filled == 0
    live.advance(3_600)
    await live.order("o2", price=None)
    await live.settle()
    assert (await live.records())["o2"].state is OrderState.FILLED
    live.advance(3 * 3_600)
    await live.settle()
    live.exchange.unlisted.clear()
    live.advance(601)  # nothing differs: what the first trade has moved was told as a transfer
    assert (await live.settle()).differences == []
    assert (await live.records())["o1"].state is OrderState.FILLED
    await live.require_books_of_the_exchange()


async def test_a_late_trade_is_looked_for_at_once_where_something_differs(live: Live) -> None:
    live.exchange.unlisted.add(("BTCUSDT", 1))
    await live.order("o1", price=None)
    await live.dispatch()
    assert (await live.reconciler.reconcile()).fills_booked == 0
    live.advance(120)
    await live.order("o2", price=None)
    await live.dispatch()
    live.exchange.unlisted.clear()
    assert (await live.reconciler.reconcile()).fills_booked == 2


WEIGHTS = {"GET myTrades": 20, "GET openOrders": 6, "GET account": 20}  # openOrders of one symbol


async def test_a_comparison_in_which_nothing_is_new_takes_little_of_the_request_weight(live: Live) -> None:
    live.market.instruments.learn(one for one in live.market.instruments.listed() if one.symbol in live.place.symbols)
    await live.reconciler.reconcile()
    seen: list[str] = []
    live.exchange.faults.witness = lambda kind, done: seen.append(kind) if done else None
    assert (await live.reconciler.reconcile()).differences == []
    assert sum(WEIGHTS[kind] for kind in seen) == 132  # of two symbols
    assert sorted(seen) == sorted(["GET myTrades"] * 4 + ["GET openOrders"] * 2 + ["GET account"] * 2)


async def test_an_order_of_an_instrument_that_nobody_named_is_told_each_time(live: Live) -> None:
    live.exchange.place("client", Ask("BTCUSDT", ExchangeSide.SELL, Decimal("0.5"), "web_1", Decimal(110)))
    live.market.instruments.learn([one for one in live.market.instruments.listed() if one.symbol == "ETH/USDT"])
    live.place = replace(live.place, symbols={"ETH/USDT": "ETHUSDT"})
    live.restart()
    for _ in range(3):
        told = (await live.reconciler.reconcile()).differences
        assert [text for text in told if "no such instrument" in text]
