"""Pure words and rules of the brokerage: no I/O, no protobuf, no clock. Local backtests import this room too."""
