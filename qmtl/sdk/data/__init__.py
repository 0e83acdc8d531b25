"""Market data as arrays: bars, their binding to a graph's sources, their order as events.
Fetches nothing.
"""
