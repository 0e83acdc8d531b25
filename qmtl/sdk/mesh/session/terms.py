"""How a paper session is run: account, cash, pace and when it ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.core.decimals import format_decimal, parse_decimal
from qmtl.core.errors import refused
from qmtl.world.v1 import decision_pb2 as decisionpb

FEE = Decimal("0.001")
CASH = Decimal(100_000)


@dataclass(frozen=True, slots=True)
class PaperTerms:
    """How a paper session is run.

    `account` empty: one account per strategy. Kind, leverage, cash and profile of the account are the world's; `cash`,
    `fee_rate` and `profile` are of worlds without a policy, and refused elsewhere where they differ. None and empty:
    100,000, 0.001 and none.
    `until` ends the session at a data time; None is its own end.
    `activation_wait_s` is how long an operator's activation is waited for. `bars_per_second` is the pace of a
    replay that this run is the first to open; 0 is as fast as its strategies and the venue follow.
    """

    account: str = ""
    cash: Decimal | None = None
    fee_rate: Decimal | None = None
    profile: str = ""
    until: datetime | None = None
    activation_wait_s: float = 60.0
    bars_per_second: float = 0.0


def paper_account(decision: decisionpb.DecisionEnvelope, terms: PaperTerms) -> accountservicepb.OpenPaperAccountRequest:
    """The account to open, without its name and data. It has the fees, slippage and participation that the policy asks
    for, as the account of a backtest has.

    Raises InvalidRequest (E_FIELD) for terms that are not the world's.
    """
    if not decision.HasField("account_model"):
        fee = "" if terms.profile else format_decimal(FEE if terms.fee_rate is None else terms.fee_rate)
        cash = format_decimal(CASH if terms.cash is None else terms.cash)
        return accountservicepb.OpenPaperAccountRequest(starting_cash=cash, fee_rate=fee, profile=terms.profile)
    model = decision.account_model
    cash_asked = parse_decimal(model.starting_cash, "account_model.starting_cash")
    fee_rate = parse_decimal(model.fee_rate, "account_model.fee_rate") if model.fee_rate else FEE
    for field, given, is_asked in (
        ("profile", terms.profile or None, model.profile),
        ("cash", terms.cash, cash_asked),
        ("fee_rate", terms.fee_rate, None if model.profile else fee_rate),
    ):
        if given is not None and given != is_asked:
            raise refused("E_FIELD", f"terms.{field}", given, f"none: the account is world {decision.world_id}'s")
    return accountservicepb.OpenPaperAccountRequest(
        starting_cash=format_decimal(cash_asked),
        fee_rate="" if model.profile else format_decimal(fee_rate),
        profile=model.profile,
        type=model.type,
        leverage=model.leverage,
        maker_fee_rate_min=model.maker_fee_rate_min,
        taker_fee_rate_min=model.taker_fee_rate_min,
        slippage_rate_min=model.slippage_rate_min,
        participation_max=model.participation_max,
    )
