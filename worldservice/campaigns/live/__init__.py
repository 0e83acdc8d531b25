"""Campaigns that trade live: canary steps, live evidence, demotions."""
