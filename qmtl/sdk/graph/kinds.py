"""The type rule: which semantic kind may feed which.

Legality of a connection follows from the kinds alone, never from a strategy's name or type.
"""

from __future__ import annotations

from collections.abc import Iterable

from qmtl.core.identity.nodes import SemanticKind

TRADING = frozenset({SemanticKind.DECISION_VALUE, SemanticKind.COMMAND_VALUE})
"""The decision and order path: what a delayed stream may never reach."""

_READABLE_BY_ALL = frozenset(SemanticKind)

FEEDS: dict[SemanticKind, frozenset[SemanticKind]] = {
    SemanticKind.CAUSAL_STREAM: _READABLE_BY_ALL,
    # A causal node behind a label would launder it. An artifact made from labels is sealed: it may be read by all.
    SemanticKind.DELAYED_STREAM: frozenset({SemanticKind.DELAYED_STREAM, SemanticKind.IMMUTABLE_ARTIFACT}),
    SemanticKind.IMMUTABLE_ARTIFACT: _READABLE_BY_ALL,
    # A shared stream must not depend on one account's state: its NodeID is shared by every strategy.
    SemanticKind.MUTABLE_EXECUTION_STATE: frozenset({SemanticKind.MUTABLE_EXECUTION_STATE, *TRADING}),
    SemanticKind.DECISION_VALUE: TRADING,
    SemanticKind.COMMAND_VALUE: frozenset({SemanticKind.COMMAND_VALUE}),
}
"""Which kinds each kind may feed."""


def kind_over(own: SemanticKind, inputs: Iterable[SemanticKind]) -> SemanticKind:
    """The kind of what would be a causal stream over inputs of these kinds: one account's state, if it reads that."""
    if own is SemanticKind.CAUSAL_STREAM and SemanticKind.MUTABLE_EXECUTION_STATE in inputs:
        return SemanticKind.MUTABLE_EXECUTION_STATE
    return own
