"""The live guard over the wire: what can cause live trading has to say so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from brokerage.accounts.opening import open_account
from brokerage.domain.accounts.account import Account
from qmtl.broker.v1 import manual_order_service_pb2 as manualorderservicepb
from qmtl.broker.v1 import order_pb2 as orderpb
from qmtl.broker.v1.manual_order_service_pb2_grpc import ManualOrderServiceStub
from qmtl.common.v1 import common_pb2 as commonpb
from qmtl.core.errors import PermissionDenied, QmtlError
from qmtl.core.roles import Role
from qmtl.rpc.auth.tokens import mint_user_token
from qmtl.sql.database import Database
from qmtl.world.v1 import activation_pb2 as activationpb
from qmtl.world.v1 import activation_service_pb2 as activationservicepb
from qmtl.world.v1 import world_service_pb2 as worldservicepb
from tests.brokerage.samples import ACCOUNT, ACTOR
from tests.gateway.harness import GatewayHarness
from tests.mesh.gateway_client import GatewayClient

LIVE = (("x-allow-live", "true"),)


async def test_what_can_cause_live_trading_needs_to_say_so(harness: GatewayHarness) -> None:
    ann = await harness.client()
    create = worldservicepb.CreateWorldRequest(world_id="live-world", allow_live=True)
    with pytest.raises(PermissionDenied) as refused:
        await ann.worlds.CreateWorld(create)
    assert refused.value.reason == "E_LIVE_GUARD"
    await ann.worlds.CreateWorld(create, metadata=LIVE)
    widening = activationpb.ActivationChange(strategy_id="s", side=commonpb.SIDE_LONG, active=True)
    freezing = activationpb.ActivationChange(strategy_id="s", side=commonpb.SIDE_LONG, freeze=True)
    with pytest.raises(PermissionDenied) as refused:
        await change(ann, widening)
    assert refused.value.reason == "E_LIVE_GUARD"
    for entry, metadata in ((freezing, ()), (widening, LIVE)):
        with pytest.raises(QmtlError) as answered:  # the strategy is not bound: worldservice's word
            await change(ann, entry, metadata)
        assert answered.value.reason != "E_LIVE_GUARD"


async def test_an_order_by_hand_at_a_live_venue_needs_to_say_so_unless_it_only_reduces(
    harness: GatewayHarness,
) -> None:
    ann = await harness.client()
    await ann.worlds.CreateWorld(worldservicepb.CreateWorldRequest(world_id="w"))
    await open_accounts(harness, paper=ACCOUNT, live=replace(ACCOUNT, venue="binance"))
    manual = ManualOrderServiceStub(await harness.channel(token=mint_user_token(harness.home, Role.OWNER, "ann")))
    for account, reduce_only, metadata, guarded in (
        ("live", False, (), True),
        ("live", False, (("x-allow-live", "yes"),), True),
        ("live", False, LIVE, False),
        ("live", True, (), False),
        ("paper", False, (), False),
        ("none", False, (), False),
    ):
        request = manualorderservicepb.SubmitManualOrderRequest(order=order_of(account, reduce_only), reason="drill")
        try:
            await manual.SubmitManualOrder(request, metadata=metadata)
            reason = ""
        except QmtlError as error:  # past the guard it is brokerage's word: the venue is in no settings here
            reason = error.reason
        assert (reason == "E_LIVE_GUARD") is guarded, (account, reduce_only, metadata, reason)


def order_of(account: str, reduce_only: bool) -> orderpb.Order:
    return orderpb.Order(
        account=account,
        client_order_id="h1",
        symbol="AAPL",
        side=orderpb.ORDER_SIDE_BUY,
        type=orderpb.ORDER_TYPE_MARKET,
        quantity="1",
        time_in_force=orderpb.TIME_IN_FORCE_GTC,
        reduce_only=reduce_only,
    )


async def open_accounts(harness: GatewayHarness, **accounts: Account) -> None:
    """Accounts in brokerage's own store, as its settings or seamless would have opened them."""
    database = Database(f"sqlite:///{harness.home}/state/brokerage.db")
    for name, account in accounts.items():
        named = replace(account, account=name)
        await database.write(lambda conn, named=named: open_account(conn, named, "w", ACTOR))  # type: ignore[misc]
    await database.close()


async def change(
    client: GatewayClient, entry: activationpb.ActivationChange, metadata: tuple[tuple[str, str], ...] = ()
) -> None:
    request = activationservicepb.SetActivationRequest(world_id="live-world", changes=[entry])
    await client.activation.SetActivation(request, metadata=metadata)
