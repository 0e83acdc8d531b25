"""What `qmtl campaign status` says of an approval."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from qmtl.cli.commands.campaign.status import approval_line
from qmtl.world.v1 import campaign_pb2 as campaignpb

ENDS = datetime(2026, 12, 30, 21, 39, tzinfo=UTC)


def told(left: timedelta | None = None) -> campaignpb.Campaign:
    made = campaignpb.Campaign(world_id="w", strategy_id="s")
    made.approval.approved_by = "ann"
    made.approval.expires_at.FromDatetime(ENDS)
    if left is not None:
        made.approval_left.FromTimedelta(left)
    return made


@pytest.mark.parametrize(
    ("left", "span"), [(timedelta(days=5, hours=23), "5 days"), (timedelta(days=1, hours=3), "27 hours")]
)
def test_an_approval_that_ends_soon_names_the_command_that_is_next(left: timedelta, span: str) -> None:
    one = told(left)
    line = approval_line(one)
    assert line.startswith(f"ends in {span}, at 2026-12-30")
    assert line.endswith(': qmtl campaign request w s --reason "..."')
    one.promotion.renews = True
    one.promotion.state = campaignpb.PROMOTION_STATE_REJECTED
    assert approval_line(one) == line
    one.promotion.state = campaignpb.PROMOTION_STATE_REQUESTED
    assert approval_line(one).endswith(": qmtl campaign approve w s --as owner --allow-live")


def test_other_approvals_say_whose_they_are_and_until_when() -> None:
    one = told()
    assert approval_line(one).startswith("by ann, until 2026-12-30")
    one.approval.ClearField("expires_at")
    assert approval_line(one) == "by ann, until it is taken back"
    one.approval.revoked_at.FromDatetime(ENDS)
    assert approval_line(one).startswith("by ann, taken back at 2026-12-30")
