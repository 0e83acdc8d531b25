"""Campaigns, promotions, blocks and actions as messages of the contract."""

from __future__ import annotations

from collections.abc import Sequence

from qmtl.wire.instants import instant_to_proto, span_to_proto
from qmtl.wire.mapping import mapper
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


promotion_to_proto = mapper(
    Promotion,
    campaignpb.Promotion,
    state=lambda promotion: f"PROMOTION_STATE_{promotion.state.name}",
    strategy_version=lambda promotion: promotion.version,
    blocks=lambda promotion: [block_to_proto(block) for block in promotion.blocks],
)


action_to_proto = mapper(
    Action,
    campaignpb.CampaignAction,
    kind=lambda action: f"CAMPAIGN_ACTION_KIND_{action.kind.name}",
    idempotency_key=lambda action: action.key,
    stage=lambda action: stage_to_proto(action.stage),
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


override_to_proto = mapper(Override, campaignpb.EvaluationOverride, run_revision=lambda override: override.revision)


def blocks_to_proto(blocks: Sequence[Block]) -> list[campaignpb.CampaignBlock]:
    return [block_to_proto(block) for block in blocks]
