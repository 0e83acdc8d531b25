"""Core values to protobuf and back, for messages that several packages read or write."""
