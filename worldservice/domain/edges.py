"""Edges of a world: what one that is off, or that no apply has opened yet, keeps a strategy from.

A NodeID is the hash of its node's spec and inputs, so who has both ends of an edge in its graph has the edge. An edge
that is off in a domain bars from that domain and those above it: who computes without an input may not trade on it.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import Enum

from qmtl.core.modes import EffectiveMode, ExecutionDomain, lower
from worldservice.domain.evaluation import UNTOUCHED, Cut, Edges, Outcome, PipelineStage, RuleVerdict
from worldservice.domain.graph import EdgeOverride
from worldservice.domain.worlds import Stage

NAMED_MAX = 20  # strategies in one line of a timeline; ListBindings has them all
EDGE_OFF, EDGES_UNKNOWN, EDGES_NOT_OPENED = "EDGE_OFF", "EDGES_UNKNOWN", "EDGES_NOT_OPENED"
Opened = Mapping[str, frozenset[ExecutionDomain]]  # by strategy
LADDER = (ExecutionDomain.BACKTEST, ExecutionDomain.DRYRUN, ExecutionDomain.LIVE)
_BELOW: Mapping[ExecutionDomain, EffectiveMode] = {
    ExecutionDomain.BACKTEST: EffectiveMode.COMPUTE_ONLY,
    ExecutionDomain.DRYRUN: EffectiveMode.COMPUTE_ONLY,
    ExecutionDomain.LIVE: EffectiveMode.PAPER,
}
_STAGE_DOMAINS: Mapping[Stage, frozenset[ExecutionDomain]] = {
    Stage.BACKTEST: frozenset(),
    Stage.PAPER: frozenset({ExecutionDomain.DRYRUN}),
    Stage.LIVE: frozenset({ExecutionDomain.DRYRUN, ExecutionDomain.LIVE}),
}
_RULE_OFF = "no edge of its graph is off"


class EdgeStanding(Enum):
    ON = "ON"
    OFF = "OFF"
    AWAITS_PROMOTION = "AWAITS_PROMOTION"


@dataclass(frozen=True, slots=True)
class EdgePolicy:
    """Domains whose edges are shut until a promotion, and which of them an apply opens to its targets."""

    shut: frozenset[ExecutionDomain]
    opens: frozenset[ExecutionDomain]

    @property
    def never(self) -> frozenset[ExecutionDomain]:
        """Domains that no apply opens, whatever one opened under another policy."""
        return self.shut - self.opens

    def ceiling(self, opened: Collection[ExecutionDomain]) -> EffectiveMode:
        """The highest mode whose domain, and every one below it, is open."""
        return below(self.never | self.shut.difference(opened))


def below(domains: Collection[ExecutionDomain]) -> EffectiveMode:
    """The highest mode of who may enter none of these domains, nor one above them."""
    mode = EffectiveMode.LIVE
    for domain in domains:
        mode = lower(mode, _BELOW[domain])
    return mode


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


def told_openings(came: Opened, went: Opened) -> str:
    """What an apply opened and closed, for its timeline and the audit log."""
    parts = (("edges opened", came), ("edges closed", went))
    return "; ".join(f"{word}: {_listed(moved)}" for word, moved in parts if moved)


def _listed(moved: Opened) -> str:
    named = sorted(moved)[:NAMED_MAX]
    told = [f"{name} {'+'.join(domain.value for domain in LADDER if domain in moved[name])}" for name in named]
    return ", ".join([*told, *([f"and {len(moved) - NAMED_MAX} more"] if len(moved) > NAMED_MAX else [])])


def edge_verdicts(edges: Edges, policy: EdgePolicy | None) -> tuple[RuleVerdict, ...]:
    """What the edges of a strategy's graph say of it; nothing where none is off and the policy asks for no opening."""
    if edges is UNTOUCHED and policy is None:
        return ()
    return (*_cut(edges), *_opened(edges, policy))


def _cut(edges: Edges) -> tuple[RuleVerdict, ...]:
    if not edges.off:
        return ()
    outcome = Outcome.FAIL if edges.shut_out else Outcome.WARN
    if not edges.known:
        domains = ", ".join(domain.value for domain in LADDER if domain in edges.off)
        return (
            _line(
                _RULE_OFF,
                outcome,
                EDGES_UNKNOWN,
                f"nobody has told its nodes (qmtl world bind does), and edges are off in {domains}",
            ),
        )
    if not edges.cuts:
        return (_line(_RULE_OFF, Outcome.PASS, "", "the edges that are off here are not in its graph"),)
    seen = "; ".join(_seen(cut) for cut in edges.cuts)
    return (_line(_RULE_OFF, outcome, EDGE_OFF, seen),)


def _seen(cut: Cut) -> str:
    several = f"{cut.edges} of its edges, such as " if cut.edges > 1 else ""
    return f"off in {cut.domain.value}: {several}{cut.example}"


def _opened(edges: Edges, policy: EdgePolicy | None) -> tuple[RuleVerdict, ...]:
    """Not opened yet is how everybody begins, so it warns of nothing; the ceiling says what it forbids."""
    if policy is None:
        return ()
    wanted = ", ".join(domain.value for domain in LADDER if domain in policy.shut)
    rule = f"edges into {wanted} are opened by an apply"
    closed = policy.never | policy.shut.difference(edges.opened)
    missing = [domain.value for domain in LADDER if domain in closed]
    if not missing:
        return (_line(rule, Outcome.PASS, "", "they are open to it"),)
    return (_line(rule, Outcome.PASS, EDGES_NOT_OPENED, f"shut to it: {', '.join(missing)}"),)


def _line(rule: str, outcome: Outcome, reason: str, explanation: str) -> RuleVerdict:
    return RuleVerdict(PipelineStage.EDGES, rule, outcome, reason, (), explanation)
