"""RPCs of campaigns: what is told, what is asked, decided and applied."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from controlbus.coordination.tenures import Tenures
from qmtl.core.errors import refused
from qmtl.core.roles import Role
from qmtl.rpc.auth.call import current_call
from qmtl.wire.fields import require_text
from qmtl.wire.instants import instant_from_proto, span_to_proto
from qmtl.wire.paging import page_from_proto, page_of
from qmtl.world.v1 import campaign_pb2 as campaignpb
from qmtl.world.v1 import campaign_service_pb2 as campaignservicepb
from qmtl.world.v1 import campaign_service_pb2_grpc as campaignrpc
from worldservice.activation.fence_keeper import FenceKeeper
from worldservice.apply.wire import target_to_proto
from worldservice.campaigns import store
from worldservice.campaigns.canary import CANARY, Canary
from worldservice.campaigns.domain.actions import Action, ActionKind, in_order
from worldservice.campaigns.domain.overrides import Override, check_override
from worldservice.campaigns.domain.phases import Campaign
from worldservice.campaigns.domain.promotions import Promotion, PromotionEvent
from worldservice.campaigns.domain.selection import TrialsSummary
from worldservice.campaigns.dossier.telling import Dossiers
from worldservice.campaigns.facts import WorldCampaigns
from worldservice.campaigns.promoting import Promotions
from worldservice.campaigns.recording import CAMPAIGN_SIGNAL, record_campaign
from worldservice.campaigns.standing import Campaigns, Told, candidate_targets, share_notes, standing_targets
from worldservice.campaigns.trials import trials_table
from worldservice.campaigns.wire import (
    action_to_proto,
    blocks_to_proto,
    override_to_proto,
    promotion_to_proto,
    summary_to_proto,
)
from worldservice.evaluation import store as evaluation_store
from worldservice.worlds.acts import Act, audit_write, caller_of, world_to_read, world_to_write
from worldservice.worlds.domain.binding import Binding, require_strategy_id
from worldservice.worlds.domain.roles import Caller
from worldservice.worlds.store import bindings
from worldservice.worlds.store.bindings import get_active_binding
from worldservice.worlds.watches import Watch
from worldservice.worlds.writes import AuditedServicer, Writes, audited, audited_in_chunks

REASON_MAX = 200
HOLDER_MAX = 64
LOOP_TTL_S = 15


class CampaignServicer(AuditedServicer, campaignrpc.CampaignServiceServicer):
    """It recommends and records; what trades is changed by the one apply that a promotion starts."""

    def __init__(
        self,
        writes: Writes,
        campaigns: Campaigns,
        promotions: Promotions,
        canary: Canary,
        fences: FenceKeeper,
        loops: Tenures,
        dossiers: Dossiers,
    ) -> None:
        super().__init__(writes)
        self._loops, self._dossiers = loops, dossiers
        self._campaigns, self._promotions, self._canary, self._fences = campaigns, promotions, canary, fences

    async def GetCampaign(
        self, request: campaignservicepb.GetCampaignRequest, context: object
    ) -> campaignservicepb.GetCampaignResponse:
        told = await self._told(request.world_id, request.strategy_id)
        return campaignservicepb.GetCampaignResponse(campaign=told.to_proto())

    async def ListCampaigns(
        self, request: campaignservicepb.ListCampaignsRequest, context: object
    ) -> campaignservicepb.ListCampaignsResponse:
        caller, page, now = caller_of(current_call()), page_from_proto(request, (str,)), self.writes.clock.now()

        def work(conn: Connection) -> list[Told]:
            world = world_to_read(conn, caller, request.world_id)
            bound = sorted(bindings.active_bindings(conn, world.world_id).items())
            left = [one for name, one in bound if page.after is None or name > page.after[0]]
            return self._campaigns.told(conn, world, left[: page.size + 1], now)

        found = await self.writes.db.read(work)
        shown, info = page_of(found, page, lambda told: (told.campaign.strategy_id,), Told.to_proto)
        return campaignservicepb.ListCampaignsResponse(campaigns=shown, page=info)

    async def Tick(self, request: campaignservicepb.TickRequest, context: object) -> campaignservicepb.TickResponse:
        caller, now = caller_of(current_call()), self.writes.clock.now()
        at = instant_from_proto(request.now, "now") if request.HasField("now") else now
        if at > now:
            raise refused("E_FIELD", "now", at.isoformat(), f"at most {now.isoformat()}: it has not come yet")

        def work(conn: Connection) -> tuple[Action, ...]:
            world = world_to_read(conn, caller, request.world_id)
            bound = list(bindings.active_bindings(conn, world.world_id).values())
            told = self._campaigns.told(conn, world, bound, at)
            return in_order([one.action for one in told if one.action is not None])

        return campaignservicepb.TickResponse(
            actions=[action_to_proto(action) for action in await self.writes.db.read(work)]
        )

    async def PlanPromotion(
        self, request: campaignservicepb.PlanPromotionRequest, context: object
    ) -> campaignservicepb.PlanPromotionResponse:
        caller, now = caller_of(current_call()), self.writes.clock.now()
        require_strategy_id(request.strategy_id)

        def work(conn: Connection) -> campaignpb.PromotionPlan:
            world = world_to_read(conn, caller, request.world_id)
            binding = get_active_binding(conn, world.world_id, request.strategy_id)
            looked = self._campaigns.look(conn, world, now)
            if looked.trades_live(binding.strategy_id, now):
                return self._renewal_plan(looked, binding, now)
            told = self._campaigns.told_of(looked, [binding], now)[0]
            mine = candidate_targets(looked, binding)
            targets = (*standing_targets(looked, binding.strategy_id), *mine)
            risk = self._campaigns.risk_change(conn, world, mine)
            steps = looked.terms.live.canary
            return campaignpb.PromotionPlan(
                blocks=blocks_to_proto(told.blocks),
                targets=[target_to_proto(target) for target in targets],
                canary_step=0,
                canary_share=f"{steps[0].share:f}" if steps else "1",
                notes=[*share_notes(looked), *([] if risk.figures else [risk.sentence()])],
                risk=[campaignpb.RiskFigureChange(figure=o.name, before=o.before, after=o.after) for o in risk.figures],
            )

        return campaignservicepb.PlanPromotionResponse(plan=await self.writes.db.read(work))

    def _renewal_plan(self, looked: WorldCampaigns, binding: Binding, now: datetime) -> campaignpb.PromotionPlan:
        """Of who trades live: what trades is kept as it is."""
        steps, step = looked.terms.live.canary, looked.campaign(binding.strategy_id).step
        return campaignpb.PromotionPlan(
            blocks=blocks_to_proto(self._campaigns.renewal_blocks(looked, binding, now)),
            targets=[target_to_proto(target) for target in standing_targets(looked, "")],
            canary_step=step,
            canary_share=f"{steps[step].share:f}" if step < len(steps) else "1",
            notes=share_notes(looked),
            renews=True,
        )

    @audited
    async def RequestPromotion(
        self, request: campaignservicepb.RequestPromotionRequest, act: Act
    ) -> campaignservicepb.RequestPromotionResponse:
        strategy_id, run_id = _named(request)
        reason = _reason(request.reason)
        promotion = await self.writes.db.write(
            lambda conn: self._promotions.request(conn, act, strategy_id, run_id, reason)
        )
        if promotion.requested_at == act.now:
            self._count(ActionKind.REQUEST_PROMOTION)
        return campaignservicepb.RequestPromotionResponse(promotion=promotion_to_proto(promotion))

    @audited
    async def WithdrawPromotion(
        self, request: campaignservicepb.WithdrawPromotionRequest, act: Act
    ) -> campaignservicepb.WithdrawPromotionResponse:
        ended = await self._end(act, request, PromotionEvent.WITHDRAWN, Role.OPERATOR)
        return campaignservicepb.WithdrawPromotionResponse(promotion=promotion_to_proto(ended))

    @audited
    async def RejectPromotion(
        self, request: campaignservicepb.RejectPromotionRequest, act: Act
    ) -> campaignservicepb.RejectPromotionResponse:
        ended = await self._end(act, request, PromotionEvent.REJECTED, Role.OWNER)
        return campaignservicepb.RejectPromotionResponse(promotion=promotion_to_proto(ended))

    @audited
    async def ApprovePromotion(
        self, request: campaignservicepb.ApprovePromotionRequest, act: Act
    ) -> campaignservicepb.ApprovePromotionResponse:
        found, reason = _named(request), _reason(request.reason)
        until = instant_from_proto(request.expires_at, "expires_at") if request.HasField("expires_at") else None
        if until is not None and until <= act.now:
            raise refused("E_FIELD", "expires_at", until.isoformat(), "an instant in the future")
        promotion = await self.writes.db.write(lambda conn: self._promotions.approve(conn, act, found, reason, until))
        self._count_end(promotion, act)
        return campaignservicepb.ApprovePromotionResponse(promotion=promotion_to_proto(promotion))

    @audited
    async def ApplyPromotion(
        self, request: campaignservicepb.ApplyPromotionRequest, act: Act
    ) -> campaignservicepb.ApplyPromotionResponse:
        """Answers as soon as the apply is recorded; the keeper follows it to APPLIED or FAILED."""
        found = _named(request)
        reason = _reason(request.reason) if request.force else request.reason
        await self.writes.db.read(lambda conn: world_to_read(conn, act.caller, act.world_id, Role.OPERATOR))
        await self._fences.reach(act.world_id)
        promotion, started = await self.writes.db.write(
            lambda conn: self._promotions.apply(conn, act, found, reason, force=request.force)
        )
        self._count_end(promotion, act)
        if started is not None:
            self._count(ActionKind.APPLY_PROMOTION)
        return campaignservicepb.ApplyPromotionResponse(promotion=promotion_to_proto(promotion))

    @audited
    async def AdvanceCanary(
        self, request: campaignservicepb.AdvanceCanaryRequest, act: Act
    ) -> campaignservicepb.AdvanceCanaryResponse:
        """Answers as soon as the apply is recorded; the keeper follows it to the next step."""
        strategy_id, run_id = _named(request)
        await self.writes.db.read(lambda conn: world_to_read(conn, act.caller, act.world_id, Role.OPERATOR))
        await self._fences.reach(act.world_id)
        await self.writes.db.write(lambda conn: self._canary.advance(conn, act, strategy_id, run_id))
        told = await self._told(act.world_id, strategy_id)
        return campaignservicepb.AdvanceCanaryResponse(campaign=told.to_proto(), apply_run_id=f"{CANARY}{run_id}")

    async def WatchCampaigns(
        self, request: campaignservicepb.WatchCampaignsRequest, context: object
    ) -> AsyncIterator[campaignservicepb.WatchCampaignsResponse]:
        caller, seen = caller_of(current_call()), dict[str, int]()
        with Watch(self.writes, CAMPAIGN_SIGNAL, "watch again; campaigns as they are come first") as watch:
            while True:
                await watch.look()
                news = partial(self._news, caller=caller, world_id=request.world_id, seen=dict(seen))
                for told in await self.writes.db.read(news):
                    seen[told.campaign.strategy_id] = told.campaign.revision
                    yield campaignservicepb.WatchCampaignsResponse(campaign=told.to_proto())

    def _news(self, conn: Connection, caller: Caller, world_id: str, seen: Mapping[str, int]) -> list[Told]:
        """Campaigns whose revision rose; at first all of them."""
        world = world_to_read(conn, caller, world_id)
        revisions = {name: one.revision for name, one in store.campaigns_of(conn, world.world_id).items()}
        bound = bindings.active_bindings(conn, world.world_id)
        news = [one for name, one in sorted(bound.items()) if revisions.get(name, 0) > seen.get(name, -1)]
        return self._campaigns.told(conn, world, news, self.writes.clock.now()) if news or not seen else []

    async def GetDossier(
        self, request: campaignservicepb.GetDossierRequest, context: object
    ) -> AsyncIterator[campaignservicepb.GetDossierResponse]:
        for part in await self._dossiers.told(request, caller_of(current_call()), self.writes.clock.now()):
            yield part

    @audited
    async def AcquireLoop(
        self, request: campaignservicepb.AcquireLoopRequest, act: Act
    ) -> campaignservicepb.AcquireLoopResponse:
        """Whose loop it is stands in the audit log whenever it changes hands."""
        holder = await self._loop_holder(request.holder, act)
        before = await self._loops.current(act.world_id)
        tenure = await self._loops.acquire(act.world_id, holder, LOOP_TTL_S)
        if tenure.acquired and (before is None or before.epoch != tenure.epoch):
            said = f"the loop of {act.world_id} is {holder}'s, epoch {tenure.epoch}"
            await self.writes.db.write(lambda conn: audit_write(conn, act, said))
        left = max(tenure.expires_at - self.writes.clock.now(), timedelta(0))
        return campaignservicepb.AcquireLoopResponse(
            acquired=tenure.acquired,
            holder=tenure.holder,
            lease_epoch=tenure.epoch,
            valid_for=span_to_proto(left),
        )

    @audited
    async def ReleaseLoop(
        self, request: campaignservicepb.ReleaseLoopRequest, act: Act
    ) -> campaignservicepb.ReleaseLoopResponse:
        holder = await self._loop_holder(request.holder, act)
        present = await self._loops.current(act.world_id)
        if present is not None and present.holder == holder:
            await self._loops.release(act.world_id, present.epoch)
        return campaignservicepb.ReleaseLoopResponse()

    async def _loop_holder(self, name: str, act: Act) -> str:
        """An operator's holder, which no other subject can name."""
        await self.writes.db.read(lambda conn: world_to_read(conn, act.caller, act.world_id, Role.OPERATOR))
        return f"{act.actor}/{require_text(name, 'holder', HOLDER_MAX)}"

    @audited
    async def PauseCampaign(
        self, request: campaignservicepb.PauseCampaignRequest, act: Act
    ) -> campaignservicepb.PauseCampaignResponse:
        told = await self._paused(act, request.strategy_id, _reason(request.reason), act.actor)
        return campaignservicepb.PauseCampaignResponse(campaign=told.to_proto())

    @audited
    async def ResumeCampaign(
        self, request: campaignservicepb.ResumeCampaignRequest, act: Act
    ) -> campaignservicepb.ResumeCampaignResponse:
        told = await self._paused(act, request.strategy_id, _reason(request.reason), "")
        return campaignservicepb.ResumeCampaignResponse(campaign=told.to_proto())

    @audited
    async def OverrideEvaluation(
        self, request: campaignservicepb.OverrideEvaluationRequest, act: Act
    ) -> campaignservicepb.OverrideEvaluationResponse:
        strategy_id, run_id = _named(request)
        override = Override(
            act.world_id, strategy_id, run_id, request.run_revision, request.rule, _reason(request.reason), act.actor,
            act.now, instant_from_proto(request.expires_at, "expires_at"),
        )  # fmt: skip

        def work(conn: Connection) -> None:
            world = world_to_write(conn, act, Role.OWNER)
            run = evaluation_store.get_run(conn, world.world_id, strategy_id, run_id)
            check_override(override, run.revision)
            store.append_override(conn, override)
            until = f"{override.expires_at:%Y-%m-%d}"
            audit_write(conn, act, f"{override.rule} of {strategy_id} waived until {until}: {override.reason}")

        await self.writes.db.write(work)
        return campaignservicepb.OverrideEvaluationResponse(override=override_to_proto(override))

    @audited_in_chunks(campaignpb.Trials, lambda trials: f"{trials.strategy_id}: {trials.trials_hash}")
    async def PutTrials(self, request: campaignpb.Trials, act: Act) -> campaignservicepb.PutTrialsResponse:
        require_strategy_id(request.strategy_id)
        table = await asyncio.to_thread(trials_table, request.returns_arrow, request.trials_hash)

        def work(conn: Connection) -> TrialsSummary:
            world = world_to_write(conn, act, Role.OPERATOR)
            get_active_binding(conn, world.world_id, request.strategy_id)
            earlier = store.trials_until(conn, world.world_id, request.strategy_id, act.now)
            for known in (one.summary for one in earlier if one.summary.trials_hash == table.summary.trials_hash):
                said = f"{known.variants} variants of {request.strategy_id} again: {known.trials_hash}"
                audit_write(conn, act, said)
                return known
            put = table.after(earlier, act.now)
            store.append_trials(conn, world.world_id, request.strategy_id, put, request.returns_arrow)
            stored = put.summary
            said = f"{stored.variants} variants of {request.strategy_id}, {stored.tried} tried: {stored.trials_hash}"
            audit_write(conn, act, said)
            return stored

        return campaignservicepb.PutTrialsResponse(summary=summary_to_proto(await self.writes.db.write(work)))

    async def _told(self, world_id: str, strategy_id: str) -> Told:
        caller, now = caller_of(current_call()), self.writes.clock.now()
        require_strategy_id(strategy_id)

        def work(conn: Connection) -> Told:
            world = world_to_read(conn, caller, world_id)
            return self._campaigns.told(conn, world, [get_active_binding(conn, world.world_id, strategy_id)], now)[0]

        return await self.writes.db.read(work)

    async def _end(
        self,
        act: Act,
        request: campaignservicepb.WithdrawPromotionRequest | campaignservicepb.RejectPromotionRequest,
        event: PromotionEvent,
        role: Role,
    ) -> Promotion:
        found, reason = _named(request), _reason(request.reason)
        promotion = await self.writes.db.write(lambda conn: self._promotions.end(conn, act, found, event, role, reason))
        self._count_end(promotion, act)
        return promotion

    def _count(self, kind: ActionKind) -> None:
        self.writes.metrics.campaign_actions.labels(kind.value).inc()

    def _count_end(self, promotion: Promotion, act: Act) -> None:
        """A promotion that this act has ended; asked again, it was counted."""
        if not promotion.open and promotion.decided_at == act.now:
            self.writes.metrics.promotions.labels(promotion.state.value).inc()

    async def _paused(self, act: Act, strategy_id: str, reason: str, paused_by: str) -> Told:
        require_strategy_id(strategy_id)

        def work(conn: Connection) -> None:
            world = world_to_write(conn, act, Role.OPERATOR)
            get_active_binding(conn, world.world_id, strategy_id)
            before: Campaign = store.find_campaign(conn, world.world_id, strategy_id)
            after = replace(before, paused_by=paused_by, paused_reason=reason if paused_by else "")
            if after != before:
                record_campaign(conn, act, replace(after, revision=before.revision + 1))
            audit_write(conn, act, f"campaign of {strategy_id} {'paused' if paused_by else 'goes on'}: {reason}")

        await self.writes.db.write(work)
        return await self._told(act.world_id, strategy_id)


def _named(
    request: campaignservicepb.RequestPromotionRequest
    | campaignservicepb.WithdrawPromotionRequest
    | campaignservicepb.RejectPromotionRequest
    | campaignservicepb.ApprovePromotionRequest
    | campaignservicepb.ApplyPromotionRequest
    | campaignservicepb.AdvanceCanaryRequest
    | campaignservicepb.OverrideEvaluationRequest,
) -> tuple[str, str]:
    """Strategy and run. Raises InvalidRequest (E_STRATEGY_ID, E_FIELD)."""
    require_strategy_id(request.strategy_id)
    return request.strategy_id, require_text(request.run_id, "run_id")


def _reason(text: str) -> str:
    return require_text(text, "reason", REASON_MAX)
