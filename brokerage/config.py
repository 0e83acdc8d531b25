"""Settings of the brokerage: section `[brokerage]` of qmtl.toml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator, model_validator

from qmtl.config.settings import ServiceSettings

ACCOUNTS_MAX = 2_000  # as many as a world has strategies at most


class MarginTierEntry(BaseModel):
    """One of `[[brokerage.instruments."SYMBOL".margin_tiers]]`, the smallest first. Decimal text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # up to and including this notional, in quote currency
    notional_cap: str
    # the most leverage that it is opened with
    leverage_max: int = Field(ge=1, le=1_000)
    # share of the notional at the mark that must be kept
    maintenance_rate: str
    # what is taken off that; empty: the amount that lets margin rise from tier to tier without a step
    maintenance_amount: str = ""


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
    # when it begins to trade and from when on it does no more, of a future its expiry, with the offset from UTC
    listed_at: AwareDatetime | None = None
    delisted_at: AwareDatetime | None = None
    # what tests its stops on paper feeds of quotes and trades: the last trade, the ask (to buy) or bid, the mark price
    trigger_price: Literal["last", "quote", "mark"] = "last"
    # margin of MARGIN accounts by notional, as its venue publishes it; none: 1 / leverage
    margin_tiers: tuple[MarginTierEntry, ...] = ()


class ActionEntry(BaseModel):
    """What a company did to its shares, for paper accounts: one of `[[brokerage.actions]]`. Decimal text."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: str
    # the first instant after it, with its offset from UTC: the open of the ex-date
    at: AwareDatetime
    # new shares for one old: "4", of a reverse split "1/10"
    split: str = ""
    # cash a share, in the instrument's quote currency
    dividend: str = ""
    # new shares of `into` for one old, which trades no more: "1" is a change of symbol; "0" without `into`: cash alone
    exchange: str = ""
    into: str = ""
    # beside the new shares, for one old, in the instrument's quote currency
    cash: str = ""
    # it trades no more, and is paid out at this price; "none": what is held is kept and cannot be traded
    delisting: str = ""

    @model_validator(mode="after")
    def _one(self) -> ActionEntry:
        if sum(map(bool, (self.split, self.dividend, self.exchange, self.delisting))) != 1:
            raise ValueError("want one of split, dividend, exchange and delisting")
        if (self.into or self.cash) and not self.exchange:
            raise ValueError("into and cash are for an exchange")
        return self


VENUE_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,31}", re.ASCII)
CCXT = "ccxt"


class VenueEntry(BaseModel):
    """One account at one venue: `[brokerage.venues.NAME]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # "ccxt", or the name of an entry point of group qmtl.venues
    kind: str = CCXT
    # ccxt: the exchange's id, and which of its markets
    exchange: str = ""
    market: Literal["spot", "usdm"] = "spot"
    # what is traded there, by the venue's own symbols; trades are asked for symbol by symbol
    symbols: tuple[str, ...] = ()
    # new orders reach it only where true; cancels and comparisons always do
    live: bool = False
    # what it is; a venue with an address of its own is none in production
    stage: Literal["production", "sandbox", "testnet", "local"] = "production"
    # scheme and host instead of the exchange's own, for example of a test network
    address: str = ""
    # ccxt: whose credentials, QMTL_<EXCHANGE>_<CREDENTIALS>_API_KEY or <exchange>-<credentials>.toml in the folder
    credentials: str = "main"
    # empty: <home>/credentials
    credentials_folder: Path | None = None
    # how long a request may take to be accepted; 0: the exchange's default here
    acceptance_window_ms: int = Field(default=0, ge=0, le=60_000)
    lease_ttl_s: float = Field(default=10.0, ge=1.0, le=600.0)
    # how often its lists are read again without a word from it
    poll_s: float = Field(default=30.0, ge=0.1, le=3_600.0)
    # how long an answer is waited for
    timeout_ms: int = Field(default=10_000, ge=100, le=60_000)
    # name of the address that requests leave from: all who name it share the rate limits
    egress: str = "default"
    # for a venue of an entry point: its own settings
    options: Mapping[str, str] = Field(default_factory=dict)

    @field_validator("address")
    @classmethod
    def _is_address(cls, given: str) -> str:
        if given and not re.fullmatch(r"https?://[^/\s@]+", given):
            raise ValueError("want http(s)://host[:port] without a path")
        return given

    @model_validator(mode="after")
    def _whole(self) -> VenueEntry:
        if self.kind == CCXT and not (self.exchange and self.symbols):
            raise ValueError("kind ccxt needs exchange and symbols")
        if self.kind != CCXT and self.exchange:
            raise ValueError(f"kind {self.kind!r} takes its settings from options, exchange is for kind ccxt")
        if self.address and self.stage == "production":
            raise ValueError("address is set: say by stage whether it is a sandbox, testnet or local")
        return self


class Settings(ServiceSettings):
    """What the brokerage needs beside the settings every service has: the reality of its paper venue."""

    service: str = "brokerage"
    # cash: no shorting, buys paid in full; margin: notional / leverage held against equity
    buying_power: Literal["cash", "margin"] = "cash"
    leverage: int = Field(default=1, ge=1, le=125)
    # decimal fractions
    slippage: str = "0"
    participation: str = "0.1"
    # on feeds of trades a resting limit fills by trades beyond it, or also by trades at it
    limit_fill: Literal["beyond", "at"] = "beyond"
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
    # splits and dividends of paper accounts; each acts before the first bar that opens after it, so it is set before
    actions: tuple[ActionEntry, ...] = ()
    venues: dict[str, VenueEntry] = Field(default_factory=dict)
    # snapshots for the risk hub: so long after a fill at most, and so often without one; 0: none are put
    risk_after_fill_s: float = Field(default=5.0, gt=0, le=60.0)
    risk_every_s: float = Field(default=300.0, ge=0, le=800.0)
    # how often streams look for rows another replica wrote
    stream_poll_s: float = Field(default=1.0, gt=0)

    @field_validator("venues")
    @classmethod
    def _named(cls, given: dict[str, VenueEntry]) -> dict[str, VenueEntry]:
        for name in given:
            if not VENUE_NAME.fullmatch(name) or name == "paper":
                raise ValueError(f"venue name is {name[:80]!r}, want [a-z0-9][a-z0-9-]{{0,31}} and not paper")
        logins: dict[tuple[object, ...], str] = {}
        for name, one in given.items():
            login = one.exchange, one.market, one.stage, one.address, one.credentials, one.credentials_folder
            other = logins.setdefault(login, name) if one.kind == CCXT else name
            if other != name:
                raise ValueError(f"venues {other} and {name} are one account of {one.exchange}, each wants its own")
        return given
