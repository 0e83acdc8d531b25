"""What an exchange lists, takes and tells: values in exact decimals, times in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

ZERO = Decimal(0)


class Side(Enum):
    BUY = "BUY"
    SELL = "SELL"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class Status(Enum):
    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"

    @property
    def open(self) -> bool:
        return self in (Status.NEW, Status.PARTIALLY_FILLED)


@dataclass(frozen=True, slots=True)
class Listing:
    """One symbol. A `contract` is settled in its quote and held as a position."""

    symbol: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    notional_min: Decimal = ZERO
    contract: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """An order as a client asks for it. Without a price it is a market order; with a stop it waits for that price."""

    symbol: str
    side: Side
    quantity: Decimal
    client_id: str
    price: Decimal | None = None
    stop: Decimal | None = None
    tif: str = "GTC"
    post_only: bool = False
    reduce_only: bool = False
    position_side: str = "BOTH"


@dataclass(slots=True)
class Order:
    """An order at the exchange. `number` is the exchange's own id of it, unique within its symbol."""

    number: int
    account: str
    ask: Ask
    created_ms: int
    updated_ms: int
    locked_at: Decimal  # the price its money is set aside at
    status: Status = Status.NEW
    filled: Decimal = ZERO
    turnover: Decimal = ZERO
    waiting: bool = False  # for its stop

    @property
    def left(self) -> Decimal:
        return self.ask.quantity - self.filled


@dataclass(frozen=True, slots=True)
class Execution:
    """One side of a trade. Both sides share its id, which counts per symbol: ids repeat across symbols."""

    trade_id: int
    number: int
    account: str
    client_id: str
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    time_ms: int
    position_side: str = "BOTH"
    realised: Decimal = ZERO  # by a contract's position that it closed


@dataclass(frozen=True, slots=True)
class Income:
    """Money that a contract account got or paid without a trade. `number` is unique in its account."""

    number: int
    symbol: str
    kind: str  # FUNDING_FEE, TRANSFER
    asset: str
    amount: Decimal
    time_ms: int


@dataclass(frozen=True, slots=True)
class OrderUpdate:
    """An order after something happened to it, as the account's stream tells it."""

    order: Order
    kind: str  # NEW, TRADE, CANCELED, EXPIRED
    time_ms: int
    execution: Execution | None = None


@dataclass(frozen=True, slots=True)
class BalanceUpdate:
    """The balances of an account after something changed them; `delta` where it was no trade."""

    balances: tuple[tuple[str, Decimal, Decimal], ...]  # asset, free, locked
    time_ms: int
    delta: tuple[str, Decimal] | None = None


@dataclass(frozen=True, slots=True)
class StreamEnded:
    """The stream's right to listen has expired."""

    time_ms: int


Event = OrderUpdate | BalanceUpdate | StreamEnded


class Refused(Exception):
    """A refusal in the exchange's own words; each dialect has a code for each rule."""

    def __init__(self, rule: str, text: str = "") -> None:
        super().__init__(text or rule)
        self.rule = rule
