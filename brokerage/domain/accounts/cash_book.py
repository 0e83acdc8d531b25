"""The cash of an account by currency: every movement an entry, what is settled apart from what is on its way.

For each currency settled + unsettled is the sum of all entries, to the unit, and `totals` says of which kinds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from heapq import heappop, heappush

from brokerage.domain.money import currency_scale, divide, fit
from qmtl.core.errors import refused


class CashKind(Enum):
    """Why cash moved."""

    DEPOSIT = "DEPOSIT"
    TRADE = "TRADE"
    FEE = "FEE"
    INTEREST = "INTEREST"
    BORROW = "BORROW"
    FUNDING = "FUNDING"
    DIVIDEND = "DIVIDEND"
    SPLIT = "SPLIT"
    EXCHANGE = "EXCHANGE"
    DELISTING = "DELISTING"
    VARIATION = "VARIATION"
    CONVERSION = "CONVERSION"
    TRANSFER = "TRANSFER"


@dataclass(frozen=True, slots=True)
class CashEntry:
    """One movement, in scaled units of its currency. `settles_ns`: from when it may be used, if it is a credit."""

    kind: CashKind
    currency: str
    amount: int
    at_ns: int
    settles_ns: int = 0
    subject: str = ""


class CashBook:
    """Balances as the fold of entries. Not thread-safe; one caller changes it."""

    def __init__(self) -> None:
        self.settled: dict[str, int] = {}
        self.totals: dict[tuple[str, CashKind], int] = {}
        self._pending: list[tuple[int, int, str, int]] = []
        self._unsettled: dict[str, int] = {}
        self._count = 0

    def post(self, entry: CashEntry) -> None:
        """Book an entry: a debit and what is settled already move settled cash at once, a credit waits for its time.

        Raises InvalidRequest (E_AMOUNT_OVERFLOW), and then nothing is booked.
        """
        currency, amount = entry.currency, entry.amount
        total = fit(self.total(currency) + amount, f"cash in {currency}")
        waits = amount > 0 and entry.settles_ns > entry.at_ns
        held = fit(self.settled.get(currency, 0) + (0 if waits else amount), f"settled cash in {currency}")
        fit(total - held, f"unsettled cash in {currency}")
        if waits:
            self.restore(currency, amount, entry.settles_ns)
        else:
            self.settled[currency] = held
        key = (currency, entry.kind)
        self.totals[key] = self.totals.get(key, 0) + amount

    def restore(self, currency: str, amount: int, settles_ns: int) -> None:
        """Take over a credit that is on its way."""
        heappush(self._pending, (settles_ns, self._count, currency, amount))
        self._count += 1
        self._unsettled[currency] = self._unsettled.get(currency, 0) + amount

    def pending(self) -> tuple[tuple[int, str, int], ...]:
        """Credits on their way: when each settles, its currency and amount, in order of time."""
        return tuple((at_ns, currency, amount) for at_ns, _, currency, amount in sorted(self._pending))

    def settle(self, now_ns: int) -> tuple[tuple[str, int], ...]:
        """Move what is due at an instant to settled cash: currency and amount of each credit, in order of time."""
        return tuple(self._settle(now_ns))

    def unsettled(self, currency: str) -> int:
        """What is on its way."""
        return self._unsettled.get(currency, 0)

    @property
    def on_its_way(self) -> Mapping[str, int]:
        """What is on its way by currency."""
        return self._unsettled

    def total(self, currency: str) -> int:
        """Settled and unsettled."""
        return self.settled.get(currency, 0) + self.unsettled(currency)

    def next_settlement_ns(self) -> int | None:
        """When the next credit is due; None: nothing is on its way."""
        return self._pending[0][0] if self._pending else None

    def convert(self, source: str, target: str, amount: int, rate: Decimal, at_ns: int) -> int:
        """Exchange settled cash: `amount` of one currency out, amount x rate of the other in. Returns what came in.

        Both legs settle at once, as in crypto and spot currency. Raises InvalidRequest (E_CASH_INSUFFICIENT) for more
        than is settled, or for an amount of 0 or less.
        """
        if not 0 < amount <= self.settled.get(source, 0):
            raise refused("E_CASH_INSUFFICIENT", "amount", amount, f"1 to {self.settled.get(source, 0)} of {source}")
        bought = converted(amount, source, target, rate)
        self.post(CashEntry(CashKind.CONVERSION, target, bought, at_ns, subject=source))
        self.post(CashEntry(CashKind.CONVERSION, source, -amount, at_ns, subject=target))
        return bought

    def _settle(self, now_ns: int) -> Iterator[tuple[str, int]]:
        while self._pending and self._pending[0][0] <= now_ns:
            _, _, currency, amount = heappop(self._pending)
            self._unsettled[currency] -= amount
            self.settled[currency] = self.settled.get(currency, 0) + amount
            yield currency, amount


def converted(amount: int, source: str, target: str, rate: Decimal) -> int:
    """An amount of one currency in another at `rate` (target per source), half to even at the target's scale.

    Refuses what int64 cannot hold (E_AMOUNT_OVERFLOW).
    """
    numerator, denominator = rate.as_integer_ratio()
    up, down = 10 ** currency_scale(target), 10 ** currency_scale(source)
    return fit(divide(amount * numerator * up, denominator * down), f"{source} in {target}")
