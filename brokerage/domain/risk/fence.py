"""The world fence: the last word on what may leave for a venue, decided by epoch.

A world without a fence is FROZEN. A fence moves only forward: a higher epoch replaces it, the same epoch with the
same content is a retry, everything else is stale. Who is in no standing of it may only reduce. Cancels never ask it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from brokerage.domain.orders.denials import Denial, Refusal
from brokerage.domain.orders.order import NETTING, OPERATOR, OVERLAY, Side
from qmtl.core.errors import NotReady
from qmtl.core.limits import UNLIMITED, RiskLimits
from qmtl.core.modes import EffectiveMode, ExecutionDomain, domain_of

Standings = frozenset[tuple[str, Side]]
"""Which strategy may add to its position by orders of which side: a buy adds to a long, a sale to a short."""


class VenueKind(Enum):
    """What the orders of an account at a venue are: PAPER is simulated; LIVE reaches an exchange; SHUT is an exchange
    that the settings do not let anything new reach.
    """

    PAPER = "PAPER"
    LIVE = "LIVE"
    SHUT = "SHUT"


class FenceState(Enum):
    OPEN = "OPEN"
    DRAIN = "DRAIN"
    FROZEN = "FROZEN"


@dataclass(frozen=True, slots=True)
class Fence:
    """What may leave in a world, under which epoch, and how much risk it may add: an epoch's content never changes."""

    world_id: str
    epoch: int
    state: FenceState
    effective_mode: EffectiveMode
    limits: RiskLimits = UNLIMITED
    standings: Standings = frozenset()

    def may_add(self, strategy_id: str, side: Side) -> bool:
        """Whether a strategy may add to what it holds by orders of a side; the operator may wherever it is open, and
        so may the world's hedge and a netted order, whose shares are asked about each.
        """
        anywhere = strategy_id in (OPERATOR, OVERLAY, NETTING)
        return self.state is FenceState.OPEN and (anywhere or (strategy_id, side) in self.standings)


@dataclass(frozen=True, slots=True)
class GateStamp:
    """What the gateway's gate found: the epoch it gated under, the weight, the domain and whether only to reduce."""

    epoch: int
    weight: int
    domain: ExecutionDomain
    reduce_only: bool


@dataclass(frozen=True, slots=True)
class WireIntent:
    """An act that was sent and whose outcome is not known."""

    account: str
    strategy_id: str
    client_order_id: str
    venue_order_id: str
    epoch: int
    sent_ns: int


_ALLOWED = {
    ExecutionDomain.DRYRUN: (ExecutionDomain.DRYRUN,),
    ExecutionDomain.LIVE: (ExecutionDomain.DRYRUN, ExecutionDomain.LIVE),
}
"""A fence's mode is the world's ceiling: strategies still at the paper stage trade on paper in a live world."""


def unset(world_id: str) -> Fence:
    """The fence of a world that has none: nothing passes."""
    return Fence(world_id, 0, FenceState.FROZEN, EffectiveMode.VALIDATE)


def of_no_world(world_id: str) -> Fence:
    """What stands for the fence where an order names no world: the account and its venue decide."""
    return Fence(world_id, 0, FenceState.OPEN, EffectiveMode.LIVE)


def replaced(stored: Fence | None, wanted: Fence) -> bool:
    """Whether `wanted` is to be stored; False for a retry of what is stored. Raises NotReady (E_STALE_EPOCH)."""
    current = stored or unset(wanted.world_id)
    if wanted.epoch > current.epoch:
        return True
    if stored is not None and wanted == stored:
        return False
    raise stale(wanted.epoch, current)


def stale(epoch: int, fence: Fence) -> NotReady:
    """The error for an act under an older epoch: nothing was recorded, load the state anew and decide again."""
    return NotReady(
        "E_STALE_EPOCH",
        f"epoch {epoch} is behind epoch {fence.epoch} of world {fence.world_id}",
        hint="reload the activation and gate once more",
        metadata=_told(fence),
    )


def moved(fence: Fence) -> NotReady:
    """The error for an act prepared under another fence than it met. Who retries a stale epoch retries it."""
    return NotReady(
        "E_STALE_EPOCH",
        f"the fence of world {fence.world_id} moved to epoch {fence.epoch} while the act was on its way",
        hint="nothing was recorded: send it again",
        metadata=_told(fence),
    )


def domain_at(kind: VenueKind) -> ExecutionDomain:
    """The one domain whose orders an account at such a venue takes."""
    return ExecutionDomain.DRYRUN if kind is VenueKind.PAPER else ExecutionDomain.LIVE


def refusal(
    fence: Fence, gate: GateStamp, strategy_id: str, adding: Iterable[Side], at: VenueKind = VenueKind.PAPER
) -> Refusal | None:
    """The refusal of an act gated under an epoch for an account at a kind of venue, or None.

    Raises NotReady (E_STALE_EPOCH) for an older epoch.

    `adding`: the sides of those of its orders that could add to a position; none, where it only reduces.

    An epoch above the stored one is not trusted either: whoever gated under it knows a fence that never reached us.
    """
    if gate.epoch < fence.epoch:
        raise stale(gate.epoch, fence)
    where = f"the fence of world {fence.world_id} is {fence.state.value} at epoch {fence.epoch}"
    if gate.epoch > fence.epoch:
        return Refusal(Denial.FENCED, f"{where}, the gateway let the order pass under epoch {gate.epoch}")
    if fence.state is FenceState.FROZEN:
        return Refusal(Denial.FENCED, f"{where}: no order passes until it is opened again")
    if gate.domain not in _ALLOWED.get(domain_of(fence.effective_mode), ()):
        mode = fence.effective_mode.value
        return Refusal(
            Denial.DOMAIN_FORBIDS_ORDERS, f"{where} in mode {mode}, which takes no {gate.domain.value} orders"
        )
    for side in adding:
        if not fence.may_add(strategy_id, side):
            who = "" if fence.state is FenceState.DRAIN else f", where {strategy_id} may add nothing by a {side.value}"
            return Refusal(Denial.FENCED, f"{where}{who}: only orders that reduce a position pass")
    return misplaced(gate.domain, at)


def misplaced(domain: ExecutionDomain, at: VenueKind) -> Refusal | None:
    """The refusal of an order for another domain than its account's venue takes."""
    if domain is ExecutionDomain.LIVE and at is VenueKind.PAPER:
        return Refusal(Denial.NO_LIVE_VENUE, "the order is for execution domain LIVE, and its account is on paper")
    if domain is ExecutionDomain.LIVE and at is VenueKind.SHUT:
        text = "the order is for execution domain LIVE, and its account's venue is not set up as live"
        return Refusal(Denial.NO_LIVE_VENUE, text)
    if domain is not domain_at(at):
        text = f"{domain.value} orders go to paper accounts only, and this account is at an exchange"
        return Refusal(Denial.DOMAIN_FORBIDS_ORDERS, text)
    return None


def lets_go(fence: Fence, strategy_id: str, adding: Side | None, at: VenueKind = VenueKind.PAPER) -> bool:
    """Whether an act brokerage starts itself may leave for a kind of venue now. If not it is held, never denied.

    `adding`: the side of an act that could add to a position; None for one that only reduces, which outlives the
    permission to trade live: a world that fell back to paper still closes what it holds.
    """
    allowed = _ALLOWED.get(domain_of(fence.effective_mode), ())
    if at is VenueKind.SHUT or fence.state is FenceState.FROZEN or ExecutionDomain.DRYRUN not in allowed:
        return False
    return adding is None or (domain_at(at) in allowed and fence.may_add(strategy_id, adding))


def _told(fence: Fence) -> dict[str, str]:
    return {"epoch": str(fence.epoch), "state": fence.state.value, "effective_mode": fence.effective_mode.value}
