"""Key tokens are injective and legal whatever the key."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controlbus.jetstream import subjects
from qmtl.core.errors import InvalidRequest

KEYS = st.text(min_size=1, max_size=40) | st.text(alphabet="/.=*> \n2FaH-", min_size=1, max_size=12)


@given(KEYS, KEYS)
def test_different_keys_give_different_subjects(one: str, other: str) -> None:
    assert (subjects.key_tokens(one) == subjects.key_tokens(other)) == (one == other)


@given(st.text(min_size=1, max_size=400))
def test_tokens_are_legal_and_bounded(key: str) -> None:
    tokens = subjects.key_tokens(key).split(".")
    assert all(tokens)
    assert all(char.isalnum() or char in "=-_" for token in tokens for char in token)
    assert len(".".join(tokens).encode()) <= subjects.KEY_SUBJECT_MAX


@pytest.mark.parametrize(
    ("key", "tokens"),
    [("w1", "w1"), ("w1/s.2", "w1.s=2E2"), ("a//b", "a.=.b"), ("=", "=3D"), ("*", "=2A"), ("ü", "=C3=BC")],
)
def test_the_encoding_is_stable(key: str, tokens: str) -> None:
    assert subjects.key_tokens(key) == tokens


def test_long_keys_are_hashed_apart_from_everything_else() -> None:
    one, other = subjects.key_tokens("x" * 600), subjects.key_tokens("x" * 601)
    assert one.startswith("=H")
    assert one != other
    assert subjects.key_tokens("=H" + "0" * 64) != "=H" + "0" * 64


def test_a_data_subject_is_one_per_compute_key() -> None:
    key = "blake3:" + "0123456789abcdef" * 4
    assert subjects.data_subject("raw", "w.1", "LIVE", key) == "qmtl.data.raw.w=2E1.LIVE.0123456789abcdef"


@pytest.mark.parametrize(("data_class", "key"), [("odd", "blake3:" + "0" * 64), ("raw", "blake3:zz"), ("raw", "")])
def test_bad_data_subjects_are_refused(data_class: str, key: str) -> None:
    with pytest.raises(InvalidRequest, match=r"E_BUS_CLASS|E_BUS_KEY"):
        subjects.data_subject(data_class, "w", "LIVE", key)


def test_an_empty_key_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="E_BUS_KEY"):
        subjects.key_tokens("")
