"""One replay in a process of its own: `python -m brokerage.replay.worker`, spoken to by `brokerage.replay.process`.

It reads pickles from its parent: the market and the request, then bars, part by part, then None. It answers frames (8
bytes of length, then a pickle): what is to be read, then the parts of the reply, then None; or an error in their place.
"""

from __future__ import annotations

import os
import pickle
import resource
import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from brokerage.market.context import MarketContext
from brokerage.replay.allowance import Allowance
from brokerage.replay.bars import SealedBars
from brokerage.replay.run import run
from brokerage.replay.wire import replay_from_proto
from qmtl.broker.v1 import replay_pb2 as replaypb
from qmtl.core.errors import QmtlError, refused

NICE = 10
"""Live orders come first."""


def main(looks_max: int, memory_bytes_max: int) -> None:
    """Serve one replay over the pipes, and end."""
    os.nice(NICE)
    resource.setrlimit(resource.RLIMIT_AS, (memory_bytes_max, memory_bytes_max))
    reader, writer = sys.stdin.buffer, os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing but frames goes to the parent
    try:
        _serve(reader, writer, looks_max)
    except MemoryError:
        most = f"a replay within {memory_bytes_max >> 20} MiB: fewer bars or fewer orders"
        _tell(writer, _told(refused("E_TOO_LARGE", "orders", "more than its memory holds", most)))
    except QmtlError as error:
        _tell(writer, _told(error))


def _serve(reader: BinaryIO, writer: BinaryIO, looks_max: int) -> None:
    market, body = pickle.load(reader)
    asked = replay_from_proto(replaypb.OrderReplay.FromString(body), market)
    _tell(writer, asked.fingerprints)
    bars = list(_bars(reader))
    context: MarketContext = market
    for part in run(context, asked, bars, Allowance(looks_max)):
        _tell(writer, part.SerializeToString())
    _tell(writer, None)


def _bars(reader: BinaryIO) -> Iterator[SealedBars]:
    """Bars of each symbol: a head without parts, then its parts as tables, an empty one ends it; None ends all."""
    while (head := pickle.load(reader)) is not None:
        parts = list(iter(lambda: pickle.load(reader), None))
        yield replace(head, parts=parts)


def _tell(writer: BinaryIO, value: object) -> None:
    frame = pickle.dumps(value)
    writer.write(len(frame).to_bytes(8, "big") + frame)
    writer.flush()


def _told(error: QmtlError) -> dict[str, object]:
    """An error as its fields: exceptions are made anew in the parent."""
    names = ("reason", "message", "hint", "metadata", "violations", "retry_after_s")
    return {"error": type(error).__name__, **{name: getattr(error, name) for name in names}}


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
