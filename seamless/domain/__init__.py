"""The pure room of seamless: values and functions, no I/O, no protobuf, no clock reads, no SQL.

`qmtl.sdk` imports it for local backtests; instants are integer nanoseconds since the epoch, UTC.
"""
