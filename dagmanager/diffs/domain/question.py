"""A diff as it was asked, before its DAG is looked into."""

from __future__ import annotations

from dataclasses import dataclass

from qmtl.core.modes import ComputeContext


@dataclass(frozen=True, slots=True)
class Question:
    """Whose diff it is, in which contexts, under which label. `digest` covers all that is asked but the request_id."""

    request_id: str
    strategy_id: str
    digest: str
    contexts: tuple[ComputeContext, ...]
    version_label: str
    decline_sentinel: bool
    traffic_weight: float
    created_by: str
