"""A fill as the simulated venue makes it: what it may take of a position, and what is charged for it."""

from __future__ import annotations

from dataclasses import dataclass

from brokerage.domain.accounts.strategy_book import StrategyBook
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.models.fees.model import Execution, FeeModel
from brokerage.domain.models.fees.volumes import Traded, TradedVolumes
from brokerage.domain.orders.events import Fill, Liquidity
from brokerage.domain.orders.record import OrderRecord
from qmtl.core.errors import NotFound
from qmtl.core.fast_init import fast_init


@fast_init
@dataclass(frozen=True, slots=True)
class Trade:
    """A price, how much of an order trades at it, whether the order made or took, and when."""

    price: int
    quantity: int
    liquidity: Liquidity
    at_ns: int


class Charges:
    """Makes fills under a fee schedule. `volumes` is what the account has traded, by which the venue sets its tier."""

    def __init__(self, fee: FeeModel, volumes: TradedVolumes) -> None:
        self._fee = fee
        self._volumes = volumes

    def fill(self, book: StrategyBook, record: OrderRecord, trade: Trade) -> Fill:
        """The fill of a trade; one of a reduce-only order takes no more than is held. Raises NotFound
        (E_INSTRUMENT_UNKNOWN).
        """
        instrument, order = record.instrument, record.order
        if instrument is None:
            raise NotFound("E_INSTRUMENT_UNKNOWN", f"order {record.id} cannot fill without an instrument")
        quantity = min(trade.quantity, book.reducible(order)) if order.reduce_only else trade.quantity
        notional = instrument.notional(trade.price, quantity)
        fee, currency = self._fee.charge(
            Execution(
                instrument,
                order.side,
                quantity,
                notional,
                trade.liquidity,
                record.filled,
                record.notional,
                self._volume(record, instrument, trade.at_ns),
                trade.at_ns,
            )
        )
        if self._fee.counts is not None:
            self._volumes.add(Traded(instrument, quantity, notional), trade.at_ns)
        trade_id = f"{record.id}-{record.seq + 1}"
        return Fill(trade_id, quantity, trade.price, fee, currency, trade.liquidity, trade.at_ns)

    def _volume(self, record: OrderRecord, instrument: Instrument, at_ns: int) -> int:
        """What the account had traded before a fill of an order, as the schedule counts it."""
        counts = self._fee.counts
        if counts is None:
            return 0
        return self._volumes.before(counts, Traded(instrument, record.filled, record.notional), at_ns)
