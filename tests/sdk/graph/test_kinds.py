"""The type rule's table."""

from __future__ import annotations

from qmtl.core.identity.nodes import SemanticKind
from qmtl.sdk.graph.kinds import FEEDS, TRADING


def test_delayed_streams_feed_no_trading_kind() -> None:
    assert not FEEDS[SemanticKind.DELAYED_STREAM] & TRADING
    assert SemanticKind.CAUSAL_STREAM not in FEEDS[SemanticKind.DELAYED_STREAM]
    assert set(FEEDS) == set(SemanticKind)
