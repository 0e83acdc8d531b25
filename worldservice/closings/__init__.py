"""Closings: what demoted strategies hold is closed by brokerage, where the policy says on_demote: flat."""
