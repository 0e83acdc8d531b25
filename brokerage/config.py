"""Settings of the brokerage: section `[brokerage]` of qmtl.toml."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from qmtl.config.settings import ServiceSettings

ACCOUNTS_MAX = 2_000  # as many as a world has strategies at most


class InstrumentEntry(BaseModel):
    """One more line of the symbol-properties table: `[brokerage.instruments."SYMBOL"]`. Decimal text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: str
    quote: str = "USD"
    tick: str = "0.01"
    lot: str = "1"
    # places that balances are kept at where fees in base leave parts of a lot; 0: those of the lot
    quantity_places: int = Field(default=0, ge=0, le=8)
    multiplier: str = "1"
    notional_min: str = "0"
    sector: str = ""
    # ISO 10383 code of the exchange (XNYS, XNAS, CMES): its sessions end DAY orders and have the auctions
    calendar: str = ""
    asset_class: Literal["CRYPTO", "EQUITY", "FOREX", "FUTURE"] = "EQUITY"


class Settings(ServiceSettings):
    """What the brokerage needs beside the settings every service has: the reality of its paper venue."""

    service: str = "brokerage"
    # cash: no shorting, buys paid in full; margin: notional / leverage held against equity
    buying_power: Literal["cash", "margin"] = "cash"
    leverage: int = Field(default=1, ge=1, le=125)
    # decimal fractions
    slippage: str = "0"
    participation: str = "0.1"
    accounts_per_world_max: int = Field(default=ACCOUNTS_MAX, ge=1)
    open_orders_max: int = Field(default=1_000, ge=1)
    # in the account's currency; "0": no limit
    order_notional_max: str = "0"
    # orders of an account; 0: no limit
    orders_per_s_max: int = Field(default=100, ge=0, le=1_000_000)
    # decimal text, "0": no limit. Positions with open orders at their worst, at the mark, in the account's currency
    position_notional_max: str = "0"
    account_gross_max: str = "0"
    account_net_max: str = "0"
    world_gross_max: str = "0"
    world_net_max: str = "0"
    # gross exposure / equity of an account
    leverage_max: str = "0"
    # share of an account's highest equity; below, only reducing orders pass until an operator sets it ACTIVE again
    drawdown_max: str = "0"
    price_age_max_s: int = Field(default=3_600, ge=1)
    # native: the paper venue knows stop orders; emulated: they rest here and are sent as market orders when reached
    stops: Literal["native", "emulated"] = "native"
    # the line to the paper venue; all 0: it answers in the commit that takes the order
    venue_latency_bars: int = Field(default=0, ge=0, le=1_000)
    venue_latency_ms: int = Field(default=0, ge=0, le=60_000)
    # share of answers that never come back, decimal fraction; which ones is decided by the seed and the order's id
    venue_answer_loss: str = "0"
    venue_seed: int = 0
    # an answer that has not come by then: unknown; the venue is asked by the order's venue id so much later
    venue_answer_timeout_ms: int = Field(default=2_000, ge=1)
    venue_query_after_ms: int = Field(default=1_000, ge=0)
    instruments: dict[str, InstrumentEntry] = Field(default_factory=dict)
    # how often streams look for rows another replica wrote
    stream_poll_s: float = Field(default=1.0, gt=0)
