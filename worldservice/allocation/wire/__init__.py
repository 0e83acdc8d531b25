"""Shares, proposals, plans and runs as messages of the contract, and back, with all checks of a request."""
