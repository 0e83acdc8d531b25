"""Performance statistics of equity curves, returns and trades: one function each, with formula and source.\nPure;
what is undefined is NaN, never a large stand-in.
"""
