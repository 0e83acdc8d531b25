"""Bars of exchanges over ccxt's classes: raw endpoints, decimal text, the exchange's own clock."""
