"""The order gate, trade streams and fills. It can only narrow: brokerage decides finally."""
