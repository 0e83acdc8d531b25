"""Where bars come from outside: each source gives raw columns, which conformance judges."""
