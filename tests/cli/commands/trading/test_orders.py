"""`qmtl orders` and `qmtl portfolio`."""

from __future__ import annotations

from decimal import Decimal

import pytest

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.cli.commands.trading.orders import the_order
from qmtl.core.errors import Conflict
from tests.cli.conftest import WORLD, Estate

pytestmark = pytest.mark.timeout(180)


def test_orders_fills_and_books(estate: Estate) -> None:
    orders = estate.json("orders", "list", "--world", WORLD)
    assert len(orders) >= 2
    name = orders[0]["order"]["client_order_id"]
    shown = estate.json("orders", "show", name, "--account", estate.account)
    assert shown["order"] == orders[0]["order"]
    assert {fill["client_order_id"] for fill in shown["fills"]} == {name}
    assert "FILLED" in estate.ask("orders", "list", "--account", estate.account)
    assert "venue time" in estate.ask("orders", "show", name)
    closed = estate.json("orders", "cancel", name)
    assert closed["state"] == "ORDER_STATE_FILLED"
    assert "E_ORDER_UNKNOWN" in estate.refused("orders", "show", "nothing")
    (book,) = estate.json("portfolio", "--world", WORLD)
    assert book["account"] == estate.account
    assert f"{book['equity']} USD" in estate.ask("portfolio")


def test_accounts_instruments_and_what_is_held(estate: Estate) -> None:
    listed = estate.json("accounts", "list", "--world", WORLD)
    assert estate.account in [one["account"] for one in listed]
    shown = estate.json("accounts", "show", estate.account)
    assert (shown["account"], shown["base_currency"]) == (estate.account, "USD")
    assert "BTC-USD" in estate.ask("accounts", "show", estate.account)
    assert "ACTIVE" in estate.ask("accounts", "list")
    assert "E_ACCOUNT_UNKNOWN" in estate.refused("accounts", "show", "nobody")
    symbols = [one["symbol"] for one in estate.json("instruments", "list")]
    assert symbols == sorted(symbols)
    assert "BTC priced in USD" in estate.ask("instruments", "show", "BTC-USD")
    assert "E_INSTRUMENT_UNKNOWN" in estate.refused("instruments", "show", "NOSUCH")
    fills = estate.json("fills", "--account", estate.account)
    bought = sum(Decimal(f["quantity"]) * (1 if f["side"] == "ORDER_SIDE_BUY" else -1) for f in fills)
    held = estate.json("positions", "--account", estate.account, "--netted")
    assert sum(Decimal(one["quantity"]) for one in held) == bought
    assert "USD" in estate.ask("cash", "--account", estate.account)
    (money,) = estate.json("cash", "--account", estate.account)
    (book,) = estate.json("portfolio", "--account", estate.account)
    assert money["settled"] == book["cash"][0]["settled"]


def test_an_id_that_several_strategies_used_names_its_places() -> None:
    orders = [
        orderpb.OrderStatus(order=orderpb.Order(account="a", strategy_id=strategy, client_order_id=name))
        for strategy, name in (("s", "o1"), ("t", "o1"), ("t", "other"))
    ]
    assert the_order("oth", orders) == orders[2]
    with pytest.raises(Conflict, match="E_ORDER_AMBIGUOUS: 'o1' names a/s, a/t"):
        the_order("o1", orders)
