"""A venue of the settings over ccxt: which dialect speaks to it, with whose credentials, within which limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from blake3 import blake3

from brokerage.config import VenueEntry
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.venue_traits import VenueTraits
from brokerage.venues.ccxt.dialects import binance, binance_usdm, kraken
from brokerage.venues.ccxt.dialects.dialect import Dialect
from brokerage.venues.ccxt.login import read_clock, right_faults
from brokerage.venues.ccxt.venue import CcxtVenue
from brokerage.venues.plugs import ClockReading, NoncesOf, PlugTerms
from qmtl.core.clock import Clock
from qmtl.core.errors import InvalidRequest
from qmtl.exchanges.budgets import RequestBudget
from qmtl.exchanges.connection import BUDGET_WAIT_S, Connection, made, outcomes
from qmtl.exchanges.credentials import read_credentials

MS_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class Spoken:
    """A market that can be traded: the id of ccxt's class, whose limits are shared under the same name, the dialect,
    and the options that the class takes with it. `counts`: requests carry nonces, and orders a deadline of the
    dialect's instead of a window of the settings.
    """

    id: str
    dialect: Callable[[], Dialect]
    options: Mapping[str, object]
    counts: bool = False
    wait_s: float = BUDGET_WAIT_S  # how long a call waits for its limits


DIALECTS: Mapping[tuple[str, str], Spoken] = {
    ("binance", "spot"): Spoken("binance", binance.BinanceSpot, binance.OPTIONS),
    ("binance", "usdm"): Spoken("binanceusdm", binance_usdm.BinanceUsdm, binance_usdm.OPTIONS),
    ("kraken", "spot"): Spoken("kraken", kraken.KrakenSpot, kraken.OPTIONS, counts=True, wait_s=15.0),
}
"""By exchange and market. Two calls of Kraken's limits are six seconds: a comparison has to get through."""


class CcxtPlug:
    """An account at an exchange that ccxt knows.

    Raises InvalidRequest (E_VENUE_INVALID, E_CREDENTIALS_INVALID) and NotFound (E_CREDENTIALS_MISSING,
    E_EXCHANGE_LIMITS_UNKNOWN) for what cannot work, before anything is asked of the exchange.
    """

    def __init__(self, terms: PlugTerms) -> None:
        entry = terms.entry
        found = DIALECTS.get((entry.exchange, entry.market))
        if found is None:
            known = ", ".join(f"{exchange} {market}" for exchange, market in sorted(DIALECTS))
            asked = f"{entry.exchange[:80]!r} {entry.market}"
            raise InvalidRequest(
                "E_VENUE_INVALID", f"brokerage.venues.{terms.name}: no dialect of {asked}, there are {known}"
            )
        self._terms = terms
        self._spoken = found
        least_ms = found.dialect().traits.acceptance_window_ns // MS_NS
        if found.counts and 0 < entry.acceptance_window_ms < least_ms:
            raise InvalidRequest(
                "E_VENUE_INVALID",
                f"brokerage.venues.{terms.name}.acceptance_window_ms is {entry.acceptance_window_ms}, "
                f"want 0 or {least_ms} at least: so long {entry.exchange} takes an order",
            )
        folder = entry.credentials_folder or terms.folder
        self._credentials = read_credentials(entry.exchange, entry.credentials, terms.environ, folder)
        self._budget = _budget(terms, found.id)

    @property
    def counts(self) -> bool:
        """Whether requests carry nonces."""
        return self._spoken.counts

    @property
    def fingerprint(self) -> str:
        """A digest of the exchange's market and the key, whatever address is written: one may be the exchange's own."""
        parts = (self._spoken.id, self._credentials.api_key)
        return blake3("\0".join(parts).encode()).hexdigest()

    @property
    def traits(self) -> VenueTraits:
        entry, traits = self._terms.entry, self._spoken.dialect().traits
        window_ns = entry.acceptance_window_ms * MS_NS or traits.acceptance_window_ns
        return replace(traits, acceptance_window_ns=window_ns)

    async def connect(self, signed_at: Callable[[], int], nonces_of: NoncesOf | None = None) -> ConnectedCcxtVenue:
        entry, clock = self._terms.entry, self._terms.clock
        spoken, traits = self._spoken, self.traits
        options = {**spoken.options, "recvWindow": traits.acceptance_window_ns // MS_NS}
        exchange = made(
            spoken.id, self._credentials, options=options, address=entry.address, timeout_ms=entry.timeout_ms
        )
        if entry.stage in ("sandbox", "testnet") and not entry.address:
            exchange.set_sandbox_mode(True)
        nonces = nonces_of(self._credentials.api_key) if spoken.counts and nonces_of is not None else None
        at = Connection(exchange, clock, self._budget, signed_at, spoken.wait_s, nonces)
        return ConnectedCcxtVenue(spoken.dialect(), at, clock, entry, traits)


class ConnectedCcxtVenue(CcxtVenue):
    """The exchange, trading the symbols of the settings once their properties were read."""

    def __init__(self, dialect: Dialect, at: Connection, clock: Clock, entry: VenueEntry, traits: VenueTraits) -> None:
        self._traded: dict[str, Instrument] = {}
        self._entry = entry
        self._traits = traits
        super().__init__(dialect, at, clock, self._traded)

    @property
    def traits(self) -> VenueTraits:
        return self._traits

    @property
    def weight_used(self) -> int | None:
        return self._at.weight_used

    async def instruments(self) -> list[Instrument]:
        with outcomes(self._at.exchange.id):
            listed = {one.symbol: one for one in await self._dialect.instruments(self._at)}
        missing = [symbol for symbol in self._entry.symbols if symbol not in listed]
        if missing:
            text = f"{self._at.exchange.id} lists no {', '.join(missing)[:200]}: name the symbols as ccxt does"
            raise InvalidRequest("E_VENUE_INVALID", text)
        found = [listed[symbol] for symbol in self._entry.symbols]
        self._traded.clear()
        self._traded.update((one.symbol, one) for one in found)
        return found

    async def login_faults(self) -> list[str]:
        clock = await self.read_clock()
        if clock.fault or self._entry.stage in ("sandbox", "testnet"):  # these do not tell of rights
            return [clock.fault] if clock.fault else []
        return await right_faults(self._at, live=self._entry.live)

    async def read_clock(self) -> ClockReading:
        return await read_clock(self._at, self._traits.acceptance_window_ns // MS_NS)

    async def close(self) -> None:
        await self._at.close()


def _budget(terms: PlugTerms, exchange: str) -> RequestBudget | None:
    """The exchange's limits, shared with all who call it from the same address; none without a bus."""
    entry = terms.entry
    if terms.bus is None:
        return None
    return RequestBudget(terms.bus, terms.clock, exchange, egress=entry.egress, account=entry.credentials)


def ccxt_plug(terms: PlugTerms) -> CcxtPlug:
    """The plug of a venue of kind ccxt."""
    return CcxtPlug(terms)
