"""What a policy takes as evidence of a backtest, and the account it is replayed in."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from qmtl.core.decimals import format_decimal, parse_decimal
from qmtl.core.errors import InvalidRequest
from worldservice.policy.domain.document import Document, parse_word, refused_value
from worldservice.policy.domain.execution_model import ExecutionModel

LEVERAGE_MAX = 125
CASH_MAX = Decimal(10**9)
CASH_PLACES = 2


class EvidenceRule(Enum):
    """REPLAY: what worldservice computes from a replay of the orders. CLAIMS: what the author sends; never live."""

    REPLAY = "replay"
    CLAIMS = "claims"


class AccountKind(Enum):
    """As brokerage has them."""

    CASH = "cash"
    MARGIN = "margin"


COSTS = ("maker fee", "taker fee", "slippage", "participation")


@dataclass(frozen=True, slots=True)
class WorldAccount:
    """The account of a world's backtests and paper; `kind` None and `leverage` 0: as the profile is."""

    kind: AccountKind | None = None
    leverage: int = 0
    starting_cash: Decimal = Decimal(100_000)

    def text(self, execution: ExecutionModel | None) -> str:
        """The account with the execution that is asked, as one word of text: equal texts are equal terms."""
        kind = "" if self.kind is None else self.kind.value
        asked = execution or ExecutionModel()
        costs = [asked.profile] if asked.profile else [*asked.costs.values(), asked.participation]
        shown = [cost if isinstance(cost, str) else "" if cost is None else format_decimal(cost) for cost in costs]
        return "/".join([kind, str(self.leverage), format_decimal(self.starting_cash), *shown])


def terms_in_words(text: str) -> str:
    """What WorldAccount.text says, for people; what no policy asked is left out."""
    names = ("kind", "leverage", "starting cash", *(("profile",) if text.count("/") == 3 else COSTS))
    told = [f"{name} {part}" for name, part in zip(names, text.split("/"), strict=False) if part not in ("", "0")]
    return ", ".join(told) or "as they come"


def parse_evidence(root: Document) -> EvidenceRule:
    """The key evidence; absent: a replay."""
    word = root.optional("evidence")
    return EvidenceRule.REPLAY if word is None else parse_word(word, "evidence", EvidenceRule)


def parse_account(root: Document) -> WorldAccount:
    """The section account; absent: as the profile is, with 100,000."""
    if root.optional("account") is None:
        return WorldAccount()
    section = root.section("account")
    section.only("type", "leverage", "starting_cash")
    word = section.optional("type")
    kind = None if word is None else parse_word(word, "account.type", AccountKind)
    leverage = section.optional("leverage")
    if leverage is not None:
        whole = isinstance(leverage, int) and not isinstance(leverage, bool) and 1 <= leverage <= LEVERAGE_MAX
        if kind is not AccountKind.MARGIN or not whole:
            raise refused_value("account.leverage", leverage, f"1 to {LEVERAGE_MAX}, beside type: margin")
    return WorldAccount(kind, leverage if isinstance(leverage, int) else 0, _cash(section))


def _cash(section: Document) -> Decimal:
    value, path = section.optional("starting_cash"), "account.starting_cash"
    if value is None:
        return WorldAccount().starting_cash
    want = f"a whole number, or a decimal in quotes to {CASH_PLACES} places, above 0 and at most {CASH_MAX:,}"
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise refused_value(path, value, want)
    try:
        cash = parse_decimal(str(value), path)
    except InvalidRequest:
        raise refused_value(path, value, want) from None
    if not 0 < cash <= CASH_MAX or cash != round(cash, CASH_PLACES):
        raise refused_value(path, value, want)
    return cash
