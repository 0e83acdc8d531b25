"""Slippage models: how far a fill is moved against the trader."""
