"""Ids of orders: what stores and venues know orders by, so their letters may never change."""

from __future__ import annotations

import base64

from blake3 import blake3
from hypothesis import given, settings
from hypothesis import strategies as st

from brokerage.domain.orders.order import Owner, order_id, venue_order_id

PARTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)


@given(PARTS, PARTS, PARTS, PARTS, st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_an_id_is_the_base32_of_160_bits_of_blake3_over_its_parts_each_after_its_length(
    account: str, world: str, strategy: str, name: str, generation: int
) -> None:
    key = b"".join(len(part.encode()).to_bytes(4, "big") + part.encode() for part in (account, world, strategy, name))
    made = order_id(Owner(account, world, strategy), name)
    assert made == _base32(key)
    assert venue_order_id(made, 0) == made
    assert venue_order_id(made, generation, 20) == _base32(f"{made}/{generation}".encode())[:20]


def test_the_id_of_one_order_is_this() -> None:
    assert order_id(Owner("acc", "w1", "s1"), "o1") == "bmxcl45dhnanmts5ojjc65oa6udvf4ic"


def _base32(key: bytes) -> str:
    return base64.b32encode(blake3(key).digest()[:20]).decode().lower()
