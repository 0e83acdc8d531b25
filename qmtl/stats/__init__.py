"""Performance statistics of equity curves, returns and trades: one function each, with formula and source.

Pure; what is undefined is NaN, never a large stand-in.
"""
