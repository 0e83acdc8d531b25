"""Where the values of shared nodes came from, counted."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class ReuseCounts:
    """Where the values of the shared nodes came from, by name."""

    read: list[str] = field(default_factory=list)
    continued: list[str] = field(default_factory=list)
    computed: list[str] = field(default_factory=list)
    crossed: int = 0  # records met in a queue that belong to another context; they are never used

    @property
    def nodes_reused_total(self) -> int:
        """Nodes that another strategy computed, wholly or up to where this one went on."""
        return len(self.read) + len(self.continued)

    def count(self, name: str, taken: int, whole: bool) -> None:
        """A node of which the first `taken` inputs came from its queue."""
        (self.read if whole else self.continued if taken else self.computed).append(name)
