"""Seamless, the market data provider: history and live as one, with proof of what was delivered.

It owns coverage, conformance, sealed artifacts and live feeds. It never invents a bar silently.
"""
