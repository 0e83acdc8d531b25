from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from qmtl.cli.commands.alloc.rebalances import add_scale, saved_plan, show_plan
from qmtl.cli.commands.alloc.shares import document_of, request_from
from qmtl.cli.show.drawing.share_pictures import draw_history, draw_plan
from qmtl.core.errors import InvalidRequest
from qmtl.world.v1 import allocation_pb2 as allocationpb
from qmtl.world.v1 import rebalance_pb2 as rebalancepb
from tests.cli.conftest import ROOT


def test_the_example_is_read_without_floats() -> None:
    request = request_from(document_of(ROOT / "examples" / "shares.yaml"), "main", "first", 0, "")
    assert {row.world_id: row.share for row in request.worlds} == {"demo": "0.5", "demo-stocks": "0.25"}
    assert (request.terms.cash_buffer, request.terms.two_person, request.expected_revision) == ("0.02", False, 0)
    assert request.reason == "two worlds, most to the trend one"


def test_shares_of_strategies_and_a_reason_of_the_command() -> None:
    document = {"worlds": {"w1": {"share": "0.3", "strategies": {"s1": "0.1"}}}, "terms": {"two_person": "True"}}
    request = request_from(document, "main", "r", 3, "because")
    (row,) = request.strategies
    assert (row.world_id, row.strategy_id, row.share) == ("w1", "s1", "0.1")
    assert (request.reason, request.terms.two_person) == ("because", True)


@pytest.mark.parametrize(
    "document",
    [{}, {"worlds": []}, {"worlds": {"w1": "0.3"}}, {"worlds": {"w1": {}}}, {"worlds": {}, "world": {}}],
)
def test_files_of_another_shape_are_refused(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest, match="E_ALLOCATION_OPTION"):
        request_from(document, "main", "r", 0, "")


def test_a_file_that_is_not_there_or_no_plan(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="E_ALLOCATION_OPTION"):
        document_of(tmp_path / "none.yaml")
    plan = tmp_path / "plan.json"
    plan.write_text('{"request": {"what": 1}, "plan_hash": "x"}')
    with pytest.raises(InvalidRequest, match="no saved plan"):
        saved_plan(plan)
    plan.write_text('{"request": {"account": "main"}, "plan_hash": "x"}')
    assert (saved_plan(plan).rebalance.account, saved_plan(plan).plan_hash) == ("main", "x")


def test_scales_of_worlds_and_strategies() -> None:
    request = rebalancepb.RebalanceRequest()
    add_scale(request, "w1=0.5")
    add_scale(request, "w1/s1=2")
    assert request.explicit.worlds[0].share == "0.5"
    assert (request.explicit.strategies[0].strategy_id, request.explicit.strategies[0].share) == ("s1", "2")
    with pytest.raises(InvalidRequest, match="want WORLD=G"):
        add_scale(request, "w1:0.5")


def test_what_a_plan_closes_unasked_is_said_first(capsys: pytest.CaptureFixture[str]) -> None:
    warnings = ["CLOSES: the set after does not name w2", "COST_UNKNOWN: BTC-USD"]
    leg = rebalancepb.RebalanceLeg(world_id="w2", strategy_id="s1", symbol="BTC-USD", quantity="1", rounded="-1")
    show_plan(rebalancepb.RebalancePlan(account="main", legs=[leg], warnings=warnings))
    lines = capsys.readouterr().out.splitlines()
    assert (lines[0], lines[-1]) == (f"warning {warnings[0]}", f"warning {warnings[1]}")


def test_pictures(tmp_path: Path) -> None:
    worlds = [allocationpb.WorldShare(world_id="w1", share="0.3")]
    draw_history([allocationpb.AllocationSet(revision=1, worlds=worlds)], "shares", tmp_path / "shares.png")
    leg = rebalancepb.RebalanceLeg(symbol="BTC-USD", quantity="1", mark_price="100", rounded="-0.5", notional="-50")
    draw_plan(rebalancepb.RebalancePlan(account="main", legs=[leg]), tmp_path / "plan.png")
    assert {each.name for each in tmp_path.iterdir()} == {"shares.png", "plan.png"}
