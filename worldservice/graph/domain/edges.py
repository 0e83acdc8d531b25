"""Edges of a world: which domains a strategy may not enter because edges are off, or because no apply opened them.

A NodeID is the hash of its node's spec and inputs, so who has both ends of an edge in its graph has the edge. An edge
that is off in a domain bars from that domain and those above it: who computes without an input may not trade on it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from qmtl.core.modes import ExecutionDomain
from worldservice.graph.domain.nodes import EdgeOverride
from worldservice.policy.domain.edge_policy import LADDER, EdgePolicy
from worldservice.worlds.domain.binding import Stage

NAMED_MAX = 20  # strategies in one line of a timeline; ListBindings has them all
Opened = Mapping[str, frozenset[ExecutionDomain]]  # by strategy
_STAGE_DOMAINS: Mapping[Stage, frozenset[ExecutionDomain]] = {
    Stage.BACKTEST: frozenset(),
    Stage.PAPER: frozenset({ExecutionDomain.DRYRUN}),
    Stage.LIVE: frozenset({ExecutionDomain.DRYRUN, ExecutionDomain.LIVE}),
}


class EdgeStanding(Enum):
    """What an edge comes to in a world."""

    ON = "ON"
    OFF = "OFF"
    AWAITS_PROMOTION = "AWAITS_PROMOTION"


def standing(override: EdgeOverride, opened: bool) -> EdgeStanding:
    """What an edge comes to; `opened`: an apply has opened its domain to a strategy that has it."""
    if not override.active:
        return EdgeStanding.OFF
    if override.key.from_domain is override.key.to_domain or opened:
        return EdgeStanding.ON
    return EdgeStanding.AWAITS_PROMOTION


def openings(stages: Mapping[str, Stage], policy: EdgePolicy | None) -> Opened:
    """The domains an apply opens to each strategy that it brings to a stage; whoever it does not name has none."""
    return still_open({name: _STAGE_DOMAINS[stage] for name, stage in stages.items()}, policy)


def still_open(opened: Opened, policy: EdgePolicy | None) -> Opened:
    """What of the domains opened to each strategy the policy of now leaves open."""
    never = frozenset[ExecutionDomain]() if policy is None else policy.never
    found = {name: domains - never for name, domains in opened.items()}
    return {name: domains for name, domains in found.items() if domains}


def openings_text(came: Opened, went: Opened) -> str:
    """What an apply opened and closed, for its timeline and the audit log."""
    parts = (("edges opened", came), ("edges closed", went))
    return "; ".join(f"{word}: {_listed(moved)}" for word, moved in parts if moved)


def _listed(moved: Opened) -> str:
    named = sorted(moved)[:NAMED_MAX]
    told = [f"{name} {'+'.join(domain.value for domain in LADDER if domain in moved[name])}" for name in named]
    return ", ".join([*told, *([f"and {len(moved) - NAMED_MAX} more"] if len(moved) > NAMED_MAX else [])])


@dataclass(frozen=True, slots=True)
class Cut:
    """Edges of one strategy's graph that are off in a domain: how many, and one of them for a person to read."""

    domain: ExecutionDomain
    edges: int
    example: str


@dataclass(frozen=True, slots=True)
class Edges:
    """How a strategy's graph stands in a world. `off`: domains where edges are off, of this graph or of another."""

    off: frozenset[ExecutionDomain] = frozenset()
    known: bool = True  # its nodes are stored
    cuts: tuple[Cut, ...] = ()
    opened: frozenset[ExecutionDomain] = frozenset()  # by an apply

    @property
    def barred(self) -> frozenset[ExecutionDomain]:
        """The domains a strategy may not enter, with all above; an unknown graph may have every edge that is off."""
        return frozenset(cut.domain for cut in self.cuts) if self.known else self.off

    @property
    def shut_out(self) -> bool:
        """Whether it may not trade at all: then it has to leave its slot, whatever holds it there."""
        return bool(self.barred - {ExecutionDomain.LIVE})


UNTOUCHED = Edges()
