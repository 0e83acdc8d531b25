"""The hash of a compute function's code: its syntax tree and everything it reads."""
