"""Control events in one line each, for people who watch. Pure."""

from __future__ import annotations

from qmtl.cli.show.formats import plural, short_id
from qmtl.cli.show.messages import enum_word, when
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.dag.v1 import sentinel_pb2 as sentinelpb
from qmtl.risk.v1 import risk_pb2 as riskpb
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import binding_pb2 as bindingpb
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import decision_pb2 as decisionpb
from qmtl.world.v1 import divergence_pb2 as divergencepb
from qmtl.world.v1 import evaluation_pb2 as evaluationpb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb


def event_line(event: controlpb.ControlEvent, *, is_state: bool = False) -> str:
    """Time, type, key, revision, what it says. A state of a snapshot is marked: it is not news."""
    kind = event.WhichOneof("payload") or "unknown"
    mark = "=" if is_state else " "
    return f"{when(event.time)} {mark} {kind:<24} {short_id(event.key)} r{event.revision}  {summary(event)}".rstrip()


def summary(event: controlpb.ControlEvent) -> str:
    """What changed; "" for a type of a newer peer."""
    match event.WhichOneof("payload"):
        case "activation_updated":
            return _activation(event.activation_updated.activation)
        case "activation_acked":
            acked = event.activation_acked
            return f"{acked.gateway_id} applied sequence {acked.apply_sequence} of run {acked.run_id}"
        case "policy_updated":
            return f"policy version {event.policy_updated.policy_version}"
        case "decision_updated":
            decision = event.decision_updated.decision
            mode = enum_word(commonpb.EffectiveMode, decision.effective_mode)
            words = ", ".join(enum_word(decisionpb.DecisionReason, reason) for reason in decision.reasons)
            reasons = f" because {words}" if words else ""
            return f"{mode}{reasons}; selected {', '.join(decision.selected) or 'nobody'}"
        case "strategy_state_changed":
            changed = event.strategy_state_changed
            state = enum_word(controlpb.StrategyState, changed.state)
            return f"{state}: {changed.message or changed.reason}" if changed.message or changed.reason else state
        case "evaluation_run_updated":
            run = event.evaluation_run_updated.run
            verdict = enum_word(evaluationpb.EvaluationSummary, run.report.summary)
            return f"run {run.run_id} revision {run.run_revision} at {enum_word(bindingpb.Stage, run.stage)}: {verdict}"
        case "queue_updated":
            return (
                f"{plural(len(event.queue_updated.queues), 'queue')} match {', '.join(event.queue_updated.query.tags)}"
            )
        case "world_queues_updated":
            changed_set = event.world_queues_updated
            return "many queues" if changed_set.truncated else plural(len(changed_set.queues), "queue")
        case "queue_lifecycle":
            cycle = event.queue_lifecycle
            step = enum_word(controlpb.QueueLifecycleStep, cycle.step)
            return f"{step}: {cycle.message}" if cycle.message else step
        case "sentinel_weight_updated":
            return ", ".join(_sentinel(one) for one in event.sentinel_weight_updated.sentinels)
        case "risk_snapshot_updated" | "risk_breached" | "account_limits_updated":
            return _risk(event)
        case "campaign_updated" | "promotion_updated" | "divergence_reported":
            return _campaign(event)
        case "allocation_updated" | "rebalancing_planned" | "rebalance_state_changed":
            return _capital(event)
        case "exit_signal_emitted":
            signal = event.exit_signal_emitted
            return f"leave {enum_word(commonpb.Side, signal.side).lower()}: {signal.rule} {signal.message}".rstrip()
    return ""


def _risk(event: controlpb.ControlEvent) -> str:
    """A snapshot with its VaR, a breach of a rule, or limits of an account."""
    match event.WhichOneof("payload"):
        case "risk_snapshot_updated":
            header = event.risk_snapshot_updated.header
            figures = {one.name: one.value for one in header.figures}
            var = f", VaR 99 {figures['var_99']:.2%}" if "var_99" in figures else ""
            return f"snapshot {header.version} of {when(header.as_of)} by {header.actor}{var}"
        case "risk_breached":
            breach = event.risk_breached.breach
            state = enum_word(riskpb.BreachState, breach.state)
            return f"{breach.rule} {breach.target or 'whole scope'}: {state} {breach.detail}".rstrip()
        case "account_limits_updated":
            limits = event.account_limits_updated.limits
            pending = f", pending: {limits.pending_reason}" if limits.limits_pending else ""
            return f"limits revision {limits.revision} by {limits.updated_by}{pending}"
    return ""


def _capital(event: controlpb.ControlEvent) -> str:
    """Shares of an account, or where a run of rebalancing stands."""
    match event.WhichOneof("payload"):
        case "allocation_updated":
            shares = event.allocation_updated.allocations
            told = ", ".join(f"{one.world_id} {one.share}" for one in shares.worlds) or "no world has any"
            return f"shares revision {shares.revision} by {shares.actor}: {told}"
        case "rebalancing_planned":
            return _rebalance(event.rebalancing_planned.run)
        case "rebalance_state_changed":
            return _rebalance(event.rebalance_state_changed.run)
    return ""


def _campaign(event: controlpb.ControlEvent) -> str:
    """A campaign's phase with the rule that lowered it, where a promotion stands, or a report's verdict."""
    if event.WhichOneof("payload") == "campaign_updated":
        campaign = event.campaign_updated.campaign
        phase = enum_word(campaignpb.CampaignPhase, campaign.phase)
        return f"{phase} step {campaign.canary_step} {campaign.demoted_by}".rstrip()
    if event.WhichOneof("payload") == "divergence_reported":
        report = event.divergence_reported.report
        verdict = enum_word(divergencepb.DivergenceVerdict, report.verdict)
        return f"divergence {verdict} {'; '.join(report.reasons)}".rstrip()
    promotion = event.promotion_updated.promotion
    state = enum_word(campaignpb.PromotionState, promotion.state)
    return f"promotion {promotion.run_id} {state} {promotion.message}".rstrip()


def _rebalance(run: rebalancepb.RebalanceRun) -> str:
    state = enum_word(rebalancepb.RebalanceState, run.state)
    return f"run {run.run_id} {state} by {run.executed_by or run.applied_by} {'; '.join(run.reasons)}".rstrip()


def _activation(activation: activationpb.ActivationEnvelope) -> str:
    mode = enum_word(commonpb.EffectiveMode, activation.effective_mode)
    entries = ", ".join(_entry(entry) for entry in activation.entries) or "nobody"
    phase = f" {enum_word(activationpb.ApplyPhase, activation.phase)}" if activation.run_id else ""
    return f"{mode} epoch {activation.fence_epoch}{phase}: {entries}"


def _entry(entry: activationpb.ActivationEntry) -> str:
    side = enum_word(commonpb.Side, entry.side).lower()
    state = "frozen" if entry.freeze else "draining" if entry.drain else "active" if entry.active else "inactive"
    return f"{entry.strategy_id} {side} {state} {entry.weight}"


def _sentinel(one: sentinelpb.Sentinel) -> str:
    return f"version {one.version} at {one.traffic_weight}"
