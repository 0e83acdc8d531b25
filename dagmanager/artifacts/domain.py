"""A file made of the graph, known by the digest of its bytes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Artifact:
    """A file with the digest of its bytes."""

    path: str
    checksum: str
    size_bytes: int
