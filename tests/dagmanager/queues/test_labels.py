"""Labels: readable, unique, independent of upload order."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from dagmanager.queues.domain.labels import candidates, claim_labels, shown
from qmtl.core.identity.nodes import DagNode
from qmtl.core.modes import ExecutionDomain
from tests.dagmanager.graphs import node


def nobody(_labels: Collection[str]) -> dict[str, str]:
    return {}


def with_digest(digest: str) -> DagNode:
    return replace(node("n", tags=["btc"]), node_id="blake3:" + digest.ljust(64, "0"))


def test_a_label_says_asset_type_digest_and_version() -> None:
    assert claim_labels([with_digest("abcdef12")], "v3", nobody) == {
        "blake3:" + "abcdef12".ljust(64, "0"): "btc_indicator.ema_abcdef12_v3"
    }


def test_a_node_without_tags_is_an_asset() -> None:
    bare = replace(with_digest("abcdef12"), tags=())
    assert next(candidates(bare, "")) == "asset_indicator.ema_abcdef12_v1"


def test_the_shown_form_is_namespaced() -> None:
    assert shown("w1", ExecutionDomain.DRYRUN, "x") == "w1.dryrun.x"


def test_a_held_label_makes_the_newcomer_take_more_of_its_digest() -> None:
    newcomer = with_digest("abcdef1234")
    taken = {"btc_indicator.ema_abcdef12_v1": "blake3:other"}
    assert claim_labels([newcomer], "v1", lambda _: taken)[newcomer.node_id] == "btc_indicator.ema_abcdef1234_v1"


@given(
    st.lists(st.sampled_from(["abcdef1200", "abcdef1201", "abcdef1211", "0011223344"]), min_size=1, unique=True),
)
def test_labels_are_unique_and_do_not_depend_on_order(digests: list[str]) -> None:
    nodes = [with_digest(digest) for digest in digests]
    labels = claim_labels(nodes, "v1", nobody)
    assert len(set(labels.values())) == len(nodes)
    assert claim_labels(list(reversed(nodes)), "v1", nobody) == labels


def test_each_part_is_cut_at_sixty_characters_and_the_last_label_has_the_whole_digest() -> None:
    long = replace(with_digest("a" * 64), tags=("t" * 99,))
    *_, last = candidates(long, "v" * 99)
    assert last == f"{'t' * 60}_indicator.ema_{'a' * 64}_{'v' * 60}"
    assert len(last) + 60 - len("indicator.ema") < 256
