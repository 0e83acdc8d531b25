"""Binance USD-M futures: REST at /fapi, the conditional orders of its algo service, and the user's stream."""
