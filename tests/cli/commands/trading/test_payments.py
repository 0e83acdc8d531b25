"""`qmtl payments` and what `qmtl trades` tells beside trades."""

from __future__ import annotations

from decimal import Decimal

import pytest

from qmtl.broker.v1 import portfolio_pb2 as portfoliopb
from qmtl.cli.commands.trading.holdings import payment_rows
from qmtl.cli.commands.trading.trades import paid_beside, summary
from qmtl.sdk.reports.trades import TradedWith, trade_report
from qmtl.wire.instants import ns_to_proto

CHANGES = [
    (portfoliopb.ShareChange(ratio="3/2", price="67", symbol="AAPL"), "1 became 3/2 AAPL"),
    (portfoliopb.ShareChange(ratio="1/2", price="5", symbol="NEW", cash_per_share="3"), "1 became 1/2 NEW and 3 USD"),
    (portfoliopb.ShareChange(ratio="0", cash_per_share="40.5"), "1 became 40.5 USD"),
    (portfoliopb.ShareChange(ratio="0", cash_per_share="0"), "1 became nothing"),
]


def paid(kind: str, amount: str, currency: str = "USD") -> portfoliopb.Payment:
    return portfoliopb.Payment(
        account="acc", number=3, symbol="AAPL", kind=f"PAYMENT_KIND_{kind}", currency=currency, amount=amount,
        time=ns_to_proto(10**9),
    )  # fmt: skip


@pytest.mark.parametrize(("change", "text"), CHANGES)
def test_a_payment_is_one_line_that_says_what_became_of_a_share(change: portfoliopb.ShareChange, text: str) -> None:
    made = paid("SPLIT", "33.5")
    made.change.CopyFrom(change)
    [row] = payment_rows([made])
    assert row == ("3", "1970-01-01T00:00:01Z", "acc", "-", "AAPL", "SPLIT", "33.5 USD", text)


def test_income_and_costs_are_told_beside_trades_and_cash_for_shares_is_not() -> None:
    kinds = ("SPLIT", "EXCHANGE", "DELISTING", "VARIATION", "TRANSFER", "INTEREST", "BORROW", "FUNDING")
    payments = [paid(kind, "-1") for kind in kinds] + [paid("DIVIDEND", "0.25"), paid("DIVIDEND", "2")]
    report = trade_report([], TradedWith({}, {}), paid=[*paid_beside(payments)])
    assert [line for line in summary(report) if "beside" in line] == [
        "borrow beside: -1 USD",
        "dividend beside: 2.25 USD",
        "funding beside: -1 USD",
        "interest beside: -1 USD",
    ]
    assert report.paid[0].amount == Decimal(-1)
