"""How a venue of the settings is reached: by ccxt, or by an entry point of group `qmtl.venues`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoints, entry_points
from pathlib import Path
from typing import Protocol, runtime_checkable

from brokerage.config import CCXT, VenueEntry
from brokerage.domain.market.instrument import Instrument
from brokerage.domain.orders.venue_traits import SECOND_NS, VenueTraits
from brokerage.venues.listings import ListedVenue
from controlbus.bus import Bus
from qmtl.core.clock import Clock
from qmtl.core.errors import InvalidRequest
from qmtl.exchanges.budgets import Purpose
from qmtl.exchanges.connection import Nonces

GROUP = "qmtl.venues"
MARGIN_S = 1.0
"""How much more of a lease than the acceptance window has to be left when a request is signed."""


class ConnectedVenue(ListedVenue, Protocol):
    """A venue of the settings that has been connected to."""

    async def instruments(self) -> list[Instrument]:
        """What of its markets the settings name, as it lists them now; none where it lists no markets.

        Raises Unavailable (E_VENUE_UNREACHABLE), Exhausted (E_RATE_LIMITED), InvalidRequest (E_VENUE_INVALID).
        """
        ...

    @property
    def weight_used(self) -> int | None:
        """How much of its request limit it last said is used; None: it did not say."""
        ...

    async def login_faults(self) -> list[str]:
        """What keeps this login from trading safely, in words: a clock that is apart, rights that the key lacks or must
        not have; none where all is well. `qmtl config validate` asks, before lists and balances.

        Raises VenueRefused for credentials that are not taken, Unavailable (E_VENUE_UNREACHABLE), Exhausted
        (E_RATE_LIMITED).
        """
        ...

    async def close(self) -> None:
        """Let go of sockets."""
        ...


@runtime_checkable
class PacedVenue(Protocol):
    """A venue that takes only so many requests; one that has no such limits has no `pace`."""

    async def pace(self, purpose: Purpose, acts: int) -> float:
        """See to it that so many orders, changes or cancels can be sent at once: 0.0, or the seconds after which to ask
        again. What was taken before and not used counts. Raises QmtlError where the limits cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class ClockReading:
    """How far the clock here was from a venue's: `ahead_ms` is negative where it is behind. `fault`: why orders are not
    safe so, in words; empty: they are.
    """

    ahead_ms: int
    fault: str = ""


@runtime_checkable
class ClockedVenue(Protocol):
    """A venue that tells its time, and takes what is signed with ours."""

    async def read_clock(self) -> ClockReading:
        """Compare the clocks. Raises Unavailable (E_VENUE_UNREACHABLE), Exhausted (E_RATE_LIMITED)."""
        ...


NoncesOf = Callable[[str], Nonces]
"""The nonces of an API key, while its account is driven here."""


class VenuePlug(Protocol):
    """One account at one venue, as it is set up. Nothing is connected to before `connect`."""

    @property
    def traits(self) -> VenueTraits:
        """What the venue takes."""
        ...

    async def connect(self, signed_at: Callable[[], int], nonces_of: NoncesOf | None = None) -> ConnectedVenue:
        """Connect; `signed_at` tells the time in ms that a request is signed with, and may refuse to. `nonces_of` has
        the nonces of a key whose requests are counted; None: nothing is asked that is signed with them.
        """
        ...


@runtime_checkable
class CountingPlug(Protocol):
    """A plug that tells whether the venue counts the requests of its key."""

    @property
    def counts(self) -> bool:
        """Whether each request wants a number above the one before: a login beside the service locks it out."""
        ...


@runtime_checkable
class KeyedPlug(Protocol):
    """A plug that tells which account at which exchange its key opens."""

    @property
    def fingerprint(self) -> str:
        """The same for two plugs of one account; the key cannot be told from it."""
        ...


@dataclass(frozen=True, slots=True)
class PlugTerms:
    """What a venue is made with. `bus` is None where nobody else calls it, `folder` has the credentials."""

    name: str
    entry: VenueEntry
    clock: Clock
    environ: Mapping[str, str]
    folder: Path
    bus: Bus | None = None


Make = Callable[[PlugTerms], VenuePlug]


def plugged(terms: PlugTerms, ccxt: Make, found: EntryPoints | None = None) -> VenuePlug:
    """The plug of a venue, by its kind.

    Raises InvalidRequest (E_VENUE_INVALID) for a kind that is not installed, and what making it raises.
    """
    if terms.entry.kind == CCXT:
        return _held(terms, ccxt(terms))
    points = {point.name: point for point in (entry_points(group=GROUP) if found is None else found)}
    point = points.get(terms.entry.kind)
    if point is None:
        known = ", ".join(sorted([CCXT, *points]))
        raise InvalidRequest(
            "E_VENUE_INVALID", f"brokerage.venues.{terms.name}.kind is {terms.entry.kind[:80]!r}, installed are {known}"
        )
    try:
        make: Make = point.load()
    except (ImportError, AttributeError) as error:
        raise InvalidRequest(
            "E_VENUE_INVALID", f"brokerage.venues.{terms.name}: entry point {point.value} does not load: {error}"
        ) from error
    return _held(terms, make(terms))


def require_apart(plugs: Mapping[str, VenuePlug]) -> None:
    """Raises InvalidRequest (E_VENUE_INVALID) for two venues whose keys are one: two leases would drive one account."""
    known: dict[str, str] = {}
    for name, plug in plugs.items():
        if isinstance(plug, KeyedPlug) and (other := known.setdefault(plug.fingerprint, name)) != name:
            text = f"brokerage.venues.{other} and brokerage.venues.{name} have one API key"
            raise InvalidRequest("E_VENUE_INVALID", f"{text}: each venue wants an account of its own")


def _held(terms: PlugTerms, plug: VenuePlug) -> VenuePlug:
    """The plug, if a lease of its account can be held and renewed in time to sign."""
    least_s = plug.traits.acceptance_window_ns / SECOND_NS + MARGIN_S
    if terms.entry.lease_ttl_s > least_s:
        return plug
    given = f"brokerage.venues.{terms.name}.lease_ttl_s is {terms.entry.lease_ttl_s:g}"
    raise InvalidRequest("E_VENUE_INVALID", f"{given}, want more than {least_s:g}: the acceptance window and a second")
