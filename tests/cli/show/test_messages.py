"""Enum values and timestamps as words."""

from __future__ import annotations

from google.protobuf.timestamp_pb2 import Timestamp

from qmtl.cli.show.messages import enum_word, when
from qmtl.common.v1 import common_pb2 as commonpb


def test_enum_words_and_times() -> None:
    assert enum_word(commonpb.EffectiveMode, commonpb.EFFECTIVE_MODE_COMPUTE_ONLY) == "COMPUTE_ONLY"
    assert enum_word(commonpb.EffectiveMode, 99) == "99"
    assert when(Timestamp()) == "-"
    assert when(Timestamp(seconds=1)) == "1970-01-01T00:00:01Z"
