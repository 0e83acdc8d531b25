"""`qmtl orders` and `qmtl portfolio`."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.cli.commands.trading.orders import the_order
from qmtl.core.errors import Conflict
from tests.cli.conftest import WORLD, CliMesh

pytestmark = pytest.mark.timeout(180)


def test_orders_fills_and_books(cli_mesh: CliMesh) -> None:
    orders = cli_mesh.json("orders", "list", "--world", WORLD)
    assert len(orders) >= 2
    name = orders[0]["order"]["client_order_id"]
    shown = cli_mesh.json("orders", "show", name, "--account", cli_mesh.account)
    assert shown["order"] == orders[0]["order"]
    assert {fill["client_order_id"] for fill in shown["fills"]} == {name}
    assert "FILLED" in cli_mesh.ask("orders", "list", "--account", cli_mesh.account)
    assert "venue time" in cli_mesh.ask("orders", "show", name, "--account", cli_mesh.account)
    closed = cli_mesh.json("orders", "cancel", name, "--account", cli_mesh.account)
    assert closed["state"] == "ORDER_STATE_FILLED"
    assert "E_ORDER_UNKNOWN" in cli_mesh.refused("orders", "show", "nothing")
    (book,) = cli_mesh.json("portfolio", "--world", WORLD)
    assert book["account"] == cli_mesh.account
    assert f"{book['equity']} USD" in cli_mesh.ask("portfolio")


def test_accounts_instruments_and_what_is_held(cli_mesh: CliMesh) -> None:
    listed = cli_mesh.json("accounts", "list", "--world", WORLD)
    assert cli_mesh.account in [one["account"] for one in listed]
    shown = cli_mesh.json("accounts", "show", cli_mesh.account)
    assert (shown["account"], shown["base_currency"]) == (cli_mesh.account, "USD")
    assert "BTC-USD" in cli_mesh.ask("accounts", "show", cli_mesh.account)
    assert "ACTIVE" in cli_mesh.ask("accounts", "list")
    assert "E_ACCOUNT_UNKNOWN" in cli_mesh.refused("accounts", "show", "nobody")
    assert cli_mesh.json("reconcile", cli_mesh.account) == {"orders_resolved": 0, "fills_booked": 0, "differences": []}
    assert "nothing" in cli_mesh.ask("reconcile", cli_mesh.account)
    (paper,) = cli_mesh.json("venues", "status")
    assert (paper["venue"], paper["state"]) == ("paper", "VENUE_STATE_CONNECTED")
    assert "CONNECTED" in cli_mesh.ask("venues", "status", "paper")
    assert "E_VENUE_UNKNOWN" in cli_mesh.refused("venues", "status", "mars")
    at = ("--venue", "mars", "--world", WORLD, "--currency", "USDT")
    assert "E_VENUE_UNKNOWN" in cli_mesh.refused("accounts", "open", "far", *at)
    assert "E_DATA_SESSION_REQUIRED" in cli_mesh.refused(
        "accounts", "feed", cli_mesh.account, shown["feeds"][0]["data_preset"]
    )
    assert "is HALTED" in cli_mesh.ask("accounts", "state", cli_mesh.account, "halted", "--reason", "a test")
    assert cli_mesh.json("accounts", "show", cli_mesh.account)["trading_state"] == "TRADING_STATE_HALTED"
    again = cli_mesh.json("accounts", "state", cli_mesh.account, "active")
    assert again["trading_state"] == "TRADING_STATE_ACTIVE"
    assert "E_ACCOUNT_UNKNOWN" in cli_mesh.refused("accounts", "state", "nobody", "halted")
    symbols = [one["symbol"] for one in cli_mesh.json("instruments", "list")]
    assert symbols == sorted(symbols)
    assert "BTC priced in USD" in cli_mesh.ask("instruments", "show", "BTC-USD")
    assert "E_INSTRUMENT_UNKNOWN" in cli_mesh.refused("instruments", "show", "NOSUCH")
    fills = cli_mesh.json("fills", "--account", cli_mesh.account)
    bought = sum(Decimal(f["quantity"]) * (1 if f["side"] == "ORDER_SIDE_BUY" else -1) for f in fills)
    held = cli_mesh.json("positions", "--account", cli_mesh.account, "--netted")
    assert sum(Decimal(one["quantity"]) for one in held) == bought
    assert "USD" in cli_mesh.ask("cash", "--account", cli_mesh.account)
    (money,) = cli_mesh.json("cash", "--account", cli_mesh.account)
    (book,) = cli_mesh.json("portfolio", "--account", cli_mesh.account)
    assert money["settled"] == book["cash"][0]["settled"]


def test_an_id_that_several_strategies_used_names_its_places() -> None:
    orders = [
        orderpb.OrderStatus(order=orderpb.Order(account="a", strategy_id=strategy, client_order_id=name))
        for strategy, name in (("s", "o1"), ("t", "o1"), ("t", "other"))
    ]
    assert the_order("oth", orders) == orders[2]
    with pytest.raises(Conflict, match="E_ORDER_AMBIGUOUS: 'o1' names a/s, a/t"):
        the_order("o1", orders)


def test_trades_are_a_table_a_document_and_a_picture(cli_mesh: CliMesh, tmp_path: Path) -> None:
    report = cli_mesh.json("trades", cli_mesh.account)
    assert report["trades"]
    assert report["bars_unknown"] == []
    for trade in report["trades"]:
        quantity, entry, left = (Decimal(trade[name]) for name in ("quantity", "entry_price", "exit_price"))
        assert Decimal(trade["gross"]) == quantity * (left - entry)
        assert Decimal(trade["net"]) == Decimal(trade["gross"]) - Decimal(trade["fees"])
        assert Decimal(trade["mae"]) <= 0 <= Decimal(trade["mfe"])
    drawn = tmp_path / "trades.svg"
    shown = cli_mesh.ask("trades", cli_mesh.account, "--picture", str(drawn))
    assert "MAE" in shown
    assert f"{len(report['trades'])} trades" in shown
    assert drawn.read_bytes().startswith(b"<?xml")


def test_an_order_by_hand_rests_is_the_operator_s_and_is_cancelled(cli_mesh: CliMesh) -> None:
    hand = ("--account", cli_mesh.account, "--reason", "drill")
    placed = cli_mesh.json("trade", "buy", "BTC-USD", "0.001", "--limit", "20000", *hand, "--id", "h1")
    assert (placed["origin"], placed["state"]) == ("ORDER_ORIGIN_OPERATOR", "ORDER_STATE_ACCEPTED")
    again = cli_mesh.json("trade", "buy", "BTC-USD", "0.001", "--limit", "20000", *hand, "--id", "h1")
    assert again["order_id"] == placed["order_id"]
    home = ("--home", cli_mesh.mesh.home)
    denied = cli_mesh.invoke("trade", "sell", "BTC-USD", "1000", "--reduce-only", *hand, *home)
    assert (denied.returncode, "DENIED" in denied.stdout) == (1, True)
    assert "h1" in cli_mesh.ask("orders", "list", "--account", cli_mesh.account, "--open")
    assert cli_mesh.json("orders", "cancel", "h1", "--account", cli_mesh.account)["state"] == "ORDER_STATE_CANCELED"
    unsaid = cli_mesh.invoke("trade", "buy", "BTC-USD", "1", "--account", cli_mesh.account, *home)
    assert (unsaid.returncode, "--reason" in unsaid.stderr) == (2, True)
    assert "strategy nobody holds nothing" in cli_mesh.ask("trade", "flatten", "nobody", "--reason", "drill")


def test_a_closed_order_is_not_replaced(cli_mesh: CliMesh) -> None:
    name = cli_mesh.json("orders", "list", "--world", WORLD)[0]["order"]["client_order_id"]
    assert "E_ORDER_CLOSED" in cli_mesh.refused("orders", "replace", name, "--limit", "20000", "--world", WORLD)
