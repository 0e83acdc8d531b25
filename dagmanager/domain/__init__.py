"""Pure words of the graph: values and functions without I/O, protobuf, clocks or SQL."""
