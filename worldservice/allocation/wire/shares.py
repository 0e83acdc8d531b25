"""Sets of shares and proposals as messages, and back."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from qmtl.core.errors import refused
from qmtl.core.identity.canonical import canonical_json, digest
from qmtl.wire.fields import enum_from_proto, require_text
from qmtl.wire.instants import instant_to_proto
from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import allocation_service_pb2 as allocationservicepb
from worldservice.allocation.domain.amounts import fraction_of, text_of
from worldservice.allocation.domain.budgets import budget_keys, budgets_of
from worldservice.allocation.domain.proposals.propose import Covariance, Method, Proposal, Wish, covariance_of
from worldservice.allocation.domain.shares import (
    CASH_BUFFER,
    ONE,
    SHARE_PLACES,
    ZERO,
    AllocationSet,
    Owner,
    Shares,
    Terms,
    share_of,
    shares_of,
)

PROPOSED_MAX = 500
REASON_MAX = 500


def shares_from_request(request: allocationservicepb.UpsertAllocationsRequest) -> Shares:
    """Raises InvalidRequest (E_SHARE, E_DUPLICATE_KEY, E_FIELD), Exhausted (E_TOO_MANY_ROWS)."""
    for index, row in enumerate(request.worlds):
        require_text(row.world_id, f"worlds[{index}].world_id")
    for index, each in enumerate(request.strategies):
        require_text(each.world_id, f"strategies[{index}].world_id")
        require_text(each.strategy_id, f"strategies[{index}].strategy_id")
    return shares_of(
        [(row.world_id, row.share) for row in request.worlds],
        [(row.world_id, row.strategy_id, row.share) for row in request.strategies],
    )


def terms_from_proto(message: allocationpb.AllocationTerms) -> Terms:
    """Raises InvalidRequest (E_SHARE)."""
    buffer = share_of(message.cash_buffer, "terms.cash_buffer") if message.cash_buffer else CASH_BUFFER
    return Terms(buffer, message.two_person)


def content_of(shares: Shares, terms: Terms, reason: str, expected_revision: int) -> str:
    """The digest of what was asked: the same under the same run_id is a repetition."""
    worlds = [[world_id, str(share)] for world_id, share in sorted(shares.worlds.items())]
    strategies = [[*owner, str(share)] for owner, share in sorted(shares.strategies.items())]
    told = [worlds, strategies, str(terms.cash_buffer), terms.two_person, reason, expected_revision]
    return digest(canonical_json(told))  # type: ignore[arg-type]  # lists of lists of text


def set_to_proto(found: AllocationSet) -> allocationpb.AllocationSet:
    return allocationpb.AllocationSet(
        account=found.account,
        revision=found.revision,
        run_id=found.run_id,
        worlds=worlds_to_proto(found.shares),
        strategies=[
            allocationpb.StrategyShare(world_id=owner.world_id, strategy_id=owner.strategy_id, share=_share(share))
            for owner, share in sorted(found.shares.strategies.items())
        ],
        terms=allocationpb.AllocationTerms(
            cash_buffer=_share(found.terms.cash_buffer), two_person=found.terms.two_person
        ),
        reason=found.reason,
        actor=found.actor,
        created_at=instant_to_proto(found.created_at),
    )


def worlds_to_proto(shares: Shares) -> list[allocationpb.WorldShare]:
    """Shares of worlds, by name."""
    rows = sorted(shares.worlds.items())
    return [allocationpb.WorldShare(world_id=world_id, share=_share(share)) for world_id, share in rows]


def capital_to_proto(
    shares: Shares, equity: Fraction, leverage_max: Fraction, gross: Iterable[tuple[Owner, Fraction]]
) -> list[allocationpb.Capital]:
    """Capital, budget and use of each world and strategy; `gross` is the gross exposure of each owner."""
    used: dict[tuple[str, str], Fraction] = {}
    for owner, money in gross:
        for key in budget_keys(owner):
            used[key] = used.get(key, ZERO) + money
    rows = []
    for budget in budgets_of(shares, equity, leverage_max):
        key = (budget.world_id, budget.strategy_id)
        share = shares.strategy(Owner(*key)) if budget.strategy_id else shares.world(budget.world_id)
        spent = used.get(key, ZERO)
        rows.append(
            allocationpb.Capital(
                world_id=budget.world_id,
                strategy_id=budget.strategy_id,
                share=_share(share),
                capital=text_of(share * max(equity, ZERO)),
                budget=text_of(budget.gross_max),
                gross=text_of(spent),
                utilisation=text_of(spent / budget.gross_max, 6) if budget.gross_max else "",
            )
        )
    return rows


def covariance_from_proto(message: allocationpb.StrategyCovariance) -> Covariance:
    """Raises InvalidRequest (E_COVARIANCE, E_DUPLICATE_KEY)."""
    if len(message.strategies) > PROPOSED_MAX:
        shown = f"{len(message.strategies)} strategies"
        raise refused("E_COVARIANCE", "covariance.strategies", shown, f"at most {PROPOSED_MAX}")
    owners = [Owner(row.world_id, row.strategy_id) for row in message.strategies]
    return covariance_of(owners, list(message.lower))


def wish_from_request(request: allocationservicepb.ProposeAllocationsRequest, cash_buffer: Fraction) -> Wish:
    """Raises InvalidRequest (E_ENUM, E_SHARE, E_DECIMAL, E_DUPLICATE_KEY, E_FIELD)."""
    method = enum_from_proto(request.method, allocationpb.ProposalMethod, "PROPOSAL_METHOD_", Method, "method")
    caps: dict[Owner, Fraction] = {}
    floors: dict[Owner, Fraction] = {}
    for index, row in enumerate(request.bounds):
        owner = Owner(row.world_id, row.strategy_id)
        if owner in caps or owner in floors:
            raise refused("E_DUPLICATE_KEY", f"bounds[{index}]", "/".join(owner), "each once")
        if row.cap:
            caps[owner] = share_of(row.cap, f"bounds[{index}].cap")
        if row.floor:
            floors[owner] = share_of(row.floor, f"bounds[{index}].floor")
    target = fraction_of(request.vol_target, "vol_target") if request.vol_target else None
    if target is not None and target <= 0:
        raise refused("E_FIELD", "vol_target", request.vol_target, "above 0")
    return Wish(
        method,
        share_of(request.total, "total") if request.total else ONE - cash_buffer,
        share_of(request.cap, "cap") if request.cap else ONE,
        share_of(request.floor, "floor") if request.floor else ZERO,
        caps,
        floors,
        share_of(request.band, "band") if request.band else ZERO,
        target,
    )


def proposal_to_proto(found: Proposal, today: Shares) -> allocationservicepb.ProposeAllocationsResponse:
    return allocationservicepb.ProposeAllocationsResponse(
        strategies=[
            allocationpb.ProposedShare(
                world_id=owner.world_id,
                strategy_id=owner.strategy_id,
                share=_share(share),
                today=_share(today.strategy(owner)),
                weight=found.weights[owner],
            )
            for owner, share in sorted(found.shares.strategies.items())
        ],
        worlds=worlds_to_proto(found.shares),
        daily_vol=found.daily_vol,
    )


def _share(share: Fraction) -> str:
    return text_of(share, SHARE_PLACES)
