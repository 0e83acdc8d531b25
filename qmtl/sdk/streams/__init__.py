"""Streams of another rhythm: bars made of finer ones, one stream as of the events of another, published features."""

from qmtl.sdk.streams.features import feature
from qmtl.sdk.streams.latest import latest
from qmtl.sdk.streams.membership import member
from qmtl.sdk.streams.resampling import resample

__all__ = ["feature", "latest", "member", "resample"]
