"""Accounting as values: accounts, positions, ledgers, portfolios. Decides nothing about orders."""
