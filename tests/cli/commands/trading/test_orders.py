"""`qmtl orders` and `qmtl portfolio`."""

from __future__ import annotations

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


def test_an_id_that_several_strategies_used_names_its_places() -> None:
    orders = [
        orderpb.OrderStatus(order=orderpb.Order(account="a", strategy_id=strategy, client_order_id=name))
        for strategy, name in (("s", "o1"), ("t", "o1"), ("t", "other"))
    ]
    assert the_order("oth", orders) == orders[2]
    with pytest.raises(Conflict, match="E_ORDER_AMBIGUOUS: 'o1' names a/s, a/t"):
        the_order("o1", orders)
