"""What the edges of a strategy's graph say of it: which are off, and which no apply has opened."""

from __future__ import annotations

from worldservice.evaluation.domain.reasons import DecisionReason
from worldservice.evaluation.domain.reports import Outcome, PipelineStage, RuleVerdict
from worldservice.graph.domain.edges import UNTOUCHED, Cut, Edges
from worldservice.policy.domain.edge_policy import LADDER, EdgePolicy

_RULE_OFF = "no edge of its graph is off"


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
                DecisionReason.EDGES_UNKNOWN,
                f"nobody has told its nodes (qmtl world bind does), and edges are off in {domains}",
            ),
        )
    if not edges.cuts:
        return (_line(_RULE_OFF, Outcome.PASS, None, "the edges that are off here are not in its graph"),)
    seen = "; ".join(_seen(cut) for cut in edges.cuts)
    return (_line(_RULE_OFF, outcome, DecisionReason.EDGE_OFF, seen),)


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
        return (_line(rule, Outcome.PASS, None, "they are open to it"),)
    return (_line(rule, Outcome.PASS, DecisionReason.EDGES_NOT_OPENED, f"shut to it: {', '.join(missing)}"),)


def _line(rule: str, outcome: Outcome, reason: DecisionReason | None, explanation: str) -> RuleVerdict:
    return RuleVerdict(PipelineStage.EDGES, rule, outcome, reason, (), explanation)
