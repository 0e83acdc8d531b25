"""Campaigns, promotions, blocks and actions as messages of the contract."""

from __future__ import annotations

from collections.abc import Sequence

from qmtl.wire.instants import instant_to_proto, span_to_proto
from qmtl.world.v1 import campaign_pb2 as campaignpb
from worldservice.campaigns.domain.actions import Action
from worldservice.campaigns.domain.overrides import Override
from worldservice.campaigns.domain.phases import Campaign
from worldservice.campaigns.domain.promotions import Promotion
from worldservice.campaigns.domain.readiness import StageEvidence
from worldservice.campaigns.domain.selection import TrialsSummary
from worldservice.worlds.domain.binding import Stage
from worldservice.worlds.domain.block import Block
from worldservice.worlds.wire import stage_to_proto


def block_to_proto(block: Block) -> campaignpb.CampaignBlock:
    return campaignpb.CampaignBlock(reason=block.reason, strategy_id=block.strategy_id, message=block.sentence)


def campaign_to_proto(campaign: Campaign) -> campaignpb.Campaign:
    """What is stored of it; what is computed of it now is not."""
    return campaignpb.Campaign(
        world_id=campaign.world_id,
        strategy_id=campaign.strategy_id,
        phase=f"CAMPAIGN_PHASE_{campaign.phase.name}",
        campaign_revision=campaign.revision,
        canary_step=campaign.step,
        since=instant_to_proto(campaign.since),
        paused_by=campaign.paused_by,
        paused_reason=campaign.paused_reason,
        demoted_at=instant_to_proto(campaign.demoted_at),
        demoted_by=campaign.demoted_by,
    )


def window_to_proto(stage: Stage, evidence: StageEvidence) -> campaignpb.CampaignWindow:
    return campaignpb.CampaignWindow(
        stage=stage_to_proto(stage),
        observed=span_to_proto(evidence.window.observed),
        required=span_to_proto(evidence.window.required),
        progress_ratio=evidence.window.progress,
    )


def promotion_to_proto(promotion: Promotion) -> campaignpb.Promotion:
    return campaignpb.Promotion(
        world_id=promotion.world_id,
        strategy_id=promotion.strategy_id,
        run_id=promotion.run_id,
        state=f"PROMOTION_STATE_{promotion.state.name}",
        requested_by=promotion.requested_by,
        requested_at=instant_to_proto(promotion.requested_at),
        reason=promotion.reason,
        strategy_version=promotion.version,
        policy_version=promotion.policy_version,
        decided_by=promotion.decided_by,
        decided_at=instant_to_proto(promotion.decided_at),
        decision_reason=promotion.decision_reason,
        expires_at=instant_to_proto(promotion.expires_at),
        applied_by=promotion.applied_by,
        apply_run_id=promotion.apply_run_id,
        ended_at=instant_to_proto(promotion.ended_at),
        message=promotion.message,
        blocks=[block_to_proto(block) for block in promotion.blocks],
    )


def action_to_proto(action: Action) -> campaignpb.CampaignAction:
    return campaignpb.CampaignAction(
        kind=f"CAMPAIGN_ACTION_KIND_{action.kind.name}",
        world_id=action.world_id,
        strategy_id=action.strategy_id,
        idempotency_key=action.key,
        run_id=action.run_id,
        stage=stage_to_proto(action.stage),
        message=action.message,
        automatic=action.automatic,
    )


def summary_to_proto(summary: TrialsSummary) -> campaignpb.TrialsSummary:
    return campaignpb.TrialsSummary(
        trials_hash=summary.trials_hash,
        variant_count=summary.variants,
        day_count=summary.days,
        sharpe_std=summary.sharpe_std or 0.0,
        overfitting_probability=summary.pbo,
        tried_count=summary.tried,
    )


def override_to_proto(override: Override) -> campaignpb.EvaluationOverride:
    return campaignpb.EvaluationOverride(
        strategy_id=override.strategy_id,
        run_id=override.run_id,
        run_revision=override.revision,
        rule=override.rule,
        reason=override.reason,
        granted_by=override.granted_by,
        granted_at=instant_to_proto(override.granted_at),
        expires_at=instant_to_proto(override.expires_at),
    )


def blocks_to_proto(blocks: Sequence[Block]) -> list[campaignpb.CampaignBlock]:
    return [block_to_proto(block) for block in blocks]
