"""Opening paper accounts over the wire: sound settings, once, with the costs that a world's policy asks for."""

from __future__ import annotations

import pytest

from qmtl.broker.v1 import account_pb2 as accountpb
from qmtl.broker.v1 import account_service_pb2 as accountservicepb
from qmtl.core.errors import Conflict, InvalidRequest, NotFound
from tests.brokerage.feed import SESSION
from tests.brokerage.mesh import Client, Mesh


async def test_accounts_are_opened_with_sound_settings_only(mesh: Mesh, client: Client) -> None:
    good = accountservicepb.OpenPaperAccountRequest(
        account="two", world_id="w1", data_preset="demo", data_session_id=SESSION
    )
    for field, value, kind, reason in (
        ("account", "Bad Name", InvalidRequest, "E_NAME"),
        ("data_preset", "nope", NotFound, "E_PRESET_UNKNOWN"),
        ("data_session_id", "", InvalidRequest, "E_DATA_SESSION_REQUIRED"),
        ("starting_cash", "-5", InvalidRequest, "E_DECIMAL"),
        ("starting_cash", "92000000000", InvalidRequest, "E_DECIMAL"),
        ("fee_rate", "0.5", InvalidRequest, "E_DECIMAL"),
        ("slippage_rate_min", "1.1", InvalidRequest, "E_FIELD: slippage_rate_min"),
        ("participation_max", "0", InvalidRequest, "E_FIELD: participation_max"),
        ("base_currency", "EUR", InvalidRequest, "E_NAME"),
        ("profile", "ibkr", InvalidRequest, "E_PROFILE_UNKNOWN"),
        ("profile", "binance_spot", NotFound, "E_PROFILE_TABLE_MISSING"),
    ):
        request = accountservicepb.OpenPaperAccountRequest()
        request.CopyFrom(good)
        setattr(request, field, value)
        with pytest.raises(kind, match=reason):
            await client.accounts.OpenPaperAccount(request)
    opened = (await client.accounts.OpenPaperAccount(good)).account
    assert (opened.starting_cash, opened.fee_rate, opened.venue) == ("100000", "0.001", "paper")
    assert (await client.accounts.OpenPaperAccount(good)).account.created_at == opened.created_at
    broker = accountservicepb.OpenPaperAccountRequest(
        account="three", world_id="w1", data_preset="demo", data_session_id=SESSION, profile="ibkr_equities"
    )
    profiled = (await client.accounts.OpenPaperAccount(broker)).account
    assert (profiled.profile, profiled.fee_rate, profiled.type, profiled.leverage) == (
        "ibkr_equities",
        "",
        accountpb.ACCOUNT_TYPE_MARGIN,
        2,
    )
    broker.slippage_rate_min = "0.001"
    with pytest.raises(InvalidRequest, match=r"E_FIELD.*costs"):
        await client.accounts.OpenPaperAccount(broker)
    broker.slippage_rate_min, broker.fee_rate = "", "0.001"
    with pytest.raises(InvalidRequest, match=r"E_FIELD.*fee_rate"):
        await client.accounts.OpenPaperAccount(broker)
    good.starting_cash = "5"
    with pytest.raises(Conflict, match="E_ACCOUNT_CONFLICT"):
        await client.accounts.OpenPaperAccount(good)


async def test_the_least_costs_of_a_world_are_kept_and_told(mesh: Mesh, client: Client) -> None:
    dear = accountservicepb.OpenPaperAccountRequest(
        account="four", world_id="w1", data_preset="demo", data_session_id=SESSION, taker_fee_rate_min="0.0020"
    )
    dear.slippage_rate_min, dear.participation_max = "0.0005", "0.02"
    told = (await client.accounts.OpenPaperAccount(dear)).account
    least = told.maker_fee_rate_min, told.taker_fee_rate_min, told.slippage_rate_min, told.participation_max
    assert least == ("", "0.002", "0.0005", "0.02")
    dear.slippage_rate_min = "0.0006"
    with pytest.raises(Conflict, match="E_ACCOUNT_CONFLICT"):
        await client.accounts.OpenPaperAccount(dear)
