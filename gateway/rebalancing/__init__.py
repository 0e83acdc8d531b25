"""Executes recorded rebalancing runs: one executor an account under a lease, orders through the ordinary gate."""
