"""Stores campaigns and promotions with their events; a promotion that moves is a change of its campaign too."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import Connection

from qmtl.control.v1 import control_pb2 as controlpb
from qmtl.sql.database import signal
from worldservice.campaigns import store
from worldservice.campaigns.domain.phases import Campaign
from worldservice.campaigns.domain.promotions import Promotion
from worldservice.campaigns.wire import campaign_to_proto, promotion_to_proto
from worldservice.tables import outbox
from worldservice.worlds.acts import Act, draft

CAMPAIGN_SIGNAL = "campaign"


def record_campaign(conn: Connection, act: Act, campaign: Campaign) -> None:
    """Stored at its revision, and told."""
    store.save_campaign(conn, campaign)
    payload = controlpb.CampaignUpdated(campaign=campaign_to_proto(campaign))
    outbox.append(conn, draft(f"{campaign.world_id}/{campaign.strategy_id}", payload, act))
    signal(conn, CAMPAIGN_SIGNAL)


def record_promotion(conn: Connection, act: Act, promotion: Promotion, *, new: bool = False) -> None:
    """Stored and told, with the next revision of its campaign."""
    if new:
        store.insert_promotion(conn, promotion)
    else:
        store.save_promotion(conn, promotion)
    payload = controlpb.PromotionUpdated(promotion=promotion_to_proto(promotion))
    outbox.append(conn, draft(f"{promotion.world_id}/{promotion.strategy_id}", payload, act))
    campaign = store.find_campaign(conn, promotion.world_id, promotion.strategy_id)
    record_campaign(conn, act, replace(campaign, revision=campaign.revision + 1))
