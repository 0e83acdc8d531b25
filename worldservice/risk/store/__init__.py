"""Rows of risk snapshots, forecasts, breaches and account limits. Publishes nothing."""
