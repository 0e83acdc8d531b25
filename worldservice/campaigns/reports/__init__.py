"""Divergence reports: what brokerage makes of a replay's orders beside the books of paper, compared and stored."""
