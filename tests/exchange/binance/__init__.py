"""Binance: spot and USD-M futures over REST and websockets."""
