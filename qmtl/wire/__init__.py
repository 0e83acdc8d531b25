"""Core values to protobuf and back, for messages that several rooms read or write."""
