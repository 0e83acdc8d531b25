"""The pure room of worldservice: values and functions; no I/O, no protobuf, no clock reads, no SQL."""
