"""Streams of another rhythm: bars made of finer ones, and one stream as of the events of another."""

from qmtl.sdk.streams.latest import latest
from qmtl.sdk.streams.resampling import resample

__all__ = ["latest", "resample"]
