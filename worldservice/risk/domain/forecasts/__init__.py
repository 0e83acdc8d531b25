"""Forecasts of risk as they were stored, and their tests against what came."""
