"""What is the same for every account at a venue: instruments, reality models and the way to the venue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from brokerage.domain.accounts.account import Account
from brokerage.domain.market.symbols import Instruments
from brokerage.domain.models.buying_power.model import BuyingPower
from brokerage.domain.models.corporate import CorporateAction, Ending
from brokerage.domain.models.fees.percent import PercentFee
from brokerage.domain.models.latency import DIRECT, Link
from brokerage.domain.models.profile import BrokerageProfile
from brokerage.domain.models.profiles.generic import at_least
from brokerage.domain.models.profiles.named import profile_named
from brokerage.domain.orders.denials import Denial, Refusal
from brokerage.domain.orders.order import Order
from brokerage.domain.orders.states import EventKind, OrderType
from brokerage.domain.orders.venue_traits import PAPER, VenueTraits
from brokerage.domain.risk.fence import VenueKind
from brokerage.domain.risk.limits import NO_LIMITS, Limits
from qmtl.core.errors import NotFound, NotReady


def _always(order_id: str) -> bool:
    return True


def _nothing() -> str:
    return ""


@dataclass(frozen=True, slots=True)
class MarketContext:
    """What is the same for every account at one venue: its symbol-properties table and its reality.

    `venues` are the contexts of all other venues, by name. `actions` are what companies did, by symbol in order of
    time: paper accounts alone need to be told. `may_cancel` tells whether brokerage may ask by itself for the cancel
    of an order now: its venue may have refused it a moment ago. `only_reduces`: why nothing that adds may leave for it
    now; empty: it may.
    """

    instruments: Instruments
    profile: BrokerageProfile
    limits: Limits = NO_LIMITS
    link: Link = DIRECT
    emulate_stops: bool = False
    venue: str = PAPER.name
    kind: VenueKind = VenueKind.PAPER
    traits: VenueTraits = PAPER
    actions: Mapping[str, Sequence[CorporateAction]] = field(default_factory=dict)
    may_cancel: Callable[[str], bool] = _always
    only_reduces: Callable[[], str] = _nothing
    venues: Mapping[str, MarketContext] = field(default_factory=dict, repr=False, compare=False)

    def of(self, account: Account) -> MarketContext:
        """The context of the account's venue. Raises NotReady (E_VENUE_UNCONFIGURED)."""
        if account.venue == self.venue:
            return self
        found = self.venues.get(account.venue)
        if found is None:
            raise NotReady(
                "E_VENUE_UNCONFIGURED",
                f"account {account.account} is at venue {account.venue!r}, which is not set up here",
                hint=f"add [brokerage.venues.{account.venue}] to qmtl.toml",
            )
        return found

    def at(self, name: str) -> MarketContext:
        """The context of a venue by its name; empty: this one. Raises NotFound (E_VENUE_UNKNOWN)."""
        found = self if name in ("", self.venue) else self.venues.get(name)
        if found is None:
            names = ", ".join(sorted({self.venue, *self.venues}))
            raise NotFound("E_VENUE_UNKNOWN", f"no venue {name[:80]!r}, there are {names}")
        return found

    def profile_of(self, account: Account) -> BrokerageProfile:
        """The account's own profile, or that of the settings with its own fee and the costs that were asked at least;
        with its own buying power. What only simulation has is the settings' for an account at an exchange: the profile
        that it has is of the fees and the margins there.
        """
        percent = PercentFee(account.fee_rate, account.fee_rate)
        own = at_least(replace(self.profile, fee=percent), *account.costs)
        made = profile_named(account.profile) if account.profile else own
        if account.venue != PAPER.name:
            made = replace(
                made,
                slippage=self.profile.slippage,
                participation=self.profile.participation,
                limits_at_touch=self.profile.limits_at_touch,
            )
        return replace(
            made,
            buying_power=BuyingPower(account.type.value),
            leverage=account.leverage,
        )

    @property
    def endings(self) -> dict[str, int]:
        """From when symbols trade no more."""
        found = (action for actions in self.actions.values() for action in actions)
        return {action.symbol: action.at_ns for action in found if isinstance(action, Ending)}

    def first_rest(self, order: Order) -> EventKind:
        """The event a passed order comes to rest with: at the venue, before the wire, or watched here."""
        if self.emulates(order.type):
            return EventKind.EMULATED
        return EventKind.ACCEPTED if self.link.direct else EventKind.RELEASED

    def emulates(self, kind: OrderType) -> bool:
        """Whether orders of a type are watched here: stops, where the settings say so or the venue holds none."""
        return kind is OrderType.STOP_MARKET and (self.emulate_stops or kind not in self.traits.types)

    def unsupported(self, order: Order) -> Refusal | None:
        """The refusal of what the venue does not take."""
        if order.type not in self.traits.types and not self.emulates(order.type):
            text = f"venue {self.venue} takes no {order.type.value} orders"
            return Refusal(Denial.ORDER_TYPE_UNSUPPORTED, text)
        if order.tif not in self.traits.times_in_force:
            return Refusal(Denial.TIME_IN_FORCE_UNSUPPORTED, f"venue {self.venue} takes no {order.tif.value} orders")
        if order.post_only and not self.traits.post_only:
            return Refusal(Denial.POST_ONLY_UNSUPPORTED, f"venue {self.venue} takes no post-only orders")
        return None
