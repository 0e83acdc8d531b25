"""Accounts as stored: money, who may use it, and whether it may trade; never positions."""
