"""Buying power models: what an order takes of an account's money and what open orders hold of it."""
