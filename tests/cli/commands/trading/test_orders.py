"""`qmtl orders` and `qmtl portfolio`."""

from __future__ import annotations

import pytest

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
