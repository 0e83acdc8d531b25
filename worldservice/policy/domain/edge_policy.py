"""Which domains' edges a policy keeps shut until a promotion, and which of them an apply opens."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from qmtl.core.modes import EffectiveMode, ExecutionDomain, lower
from worldservice.policy.domain.document import Document, Plain, refused_value

LADDER = (ExecutionDomain.BACKTEST, ExecutionDomain.DRYRUN, ExecutionDomain.LIVE)
_BELOW: Mapping[ExecutionDomain, EffectiveMode] = {
    ExecutionDomain.BACKTEST: EffectiveMode.COMPUTE_ONLY,
    ExecutionDomain.DRYRUN: EffectiveMode.COMPUTE_ONLY,
    ExecutionDomain.LIVE: EffectiveMode.PAPER,
}


@dataclass(frozen=True, slots=True)
class EdgePolicy:
    """Domains whose edges are shut until a promotion, and which of them an apply opens to its targets."""

    shut: frozenset[ExecutionDomain]
    opens: frozenset[ExecutionDomain]

    @property
    def never(self) -> frozenset[ExecutionDomain]:
        """Domains that no apply opens, whatever one opened under another policy."""
        return self.shut - self.opens

    def ceiling(self, opened: Collection[ExecutionDomain]) -> EffectiveMode:
        """The highest mode whose domain, and every one below it, is open."""
        return below(self.never | self.shut.difference(opened))


def below(domains: Collection[ExecutionDomain]) -> EffectiveMode:
    """The highest mode of who may enter none of these domains, nor one above them."""
    mode = EffectiveMode.LIVE
    for domain in domains:
        mode = lower(mode, _BELOW[domain])
    return mode


_DOMAINS = {"dryrun": ExecutionDomain.DRYRUN, "live": ExecutionDomain.LIVE}


def parse_edges(gating: Document) -> EdgePolicy | None:
    """Parse `gating_policy.edges`: an apply opens what is shut until then, or the part that the document names."""
    if gating.optional("edges") is None:
        return None
    section = gating.section("edges")
    section.only("pre_promotion", "post_promotion")
    before = section.section("pre_promotion")
    before.only("disable_edges_to")
    shut = _domains(before, "disable_edges_to")
    if section.optional("post_promotion") is None:
        return EdgePolicy(shut, shut)
    after = section.section("post_promotion")
    after.only("enable_edges_to")
    opens = _domains(after, "enable_edges_to")
    if not opens <= shut:
        raise refused_value(
            f"{after.path}.enable_edges_to", after.values["enable_edges_to"], "of what pre_promotion disables"
        )
    return EdgePolicy(shut, opens)


def _domains(section: Document, key: str) -> frozenset[ExecutionDomain]:
    """One word, or a list of them."""
    value, path = section.required(key), f"{section.path}.{key}"
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, Sequence) or not words:
        raise refused_value(path, value, "dryrun, live or both as a list")
    return frozenset(_domain(word, path) for word in words)


def _domain(word: Plain, path: str) -> ExecutionDomain:
    if not isinstance(word, str) or word not in _DOMAINS:
        raise refused_value(path, word, "dryrun or live: what is evaluated is computed in backtest, always")
    return _DOMAINS[word]
