"""Where the values of shared nodes came from, counted."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class ReuseCounts:
    """Names of the shared nodes by where their values came from, and records that could not be used.

    `foreign_records` belong to another context, `malformed_records` are no records of the node; neither is ever used.
    """

    read: list[str] = field(default_factory=list)
    continued: list[str] = field(default_factory=list)
    computed: list[str] = field(default_factory=list)
    foreign_records: int = 0
    malformed_records: int = 0

    @property
    def nodes_reused_total(self) -> int:
        """Nodes that another strategy computed, wholly or up to where this one went on."""
        return len(self.read) + len(self.continued)

    def count(self, name: str, taken: int, whole: bool) -> None:
        """Count a node of which the first `taken` inputs came from its queue."""
        (self.read if whole else self.continued if taken else self.computed).append(name)
