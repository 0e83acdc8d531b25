"""Allocations: who may use which share of an account's capital, and plans and runs of rebalancing. Trades nothing."""
