"""A local exchange that speaks the protocols of real ones, for tests: what a venue does, and what goes wrong with it.

`core` is the exchange itself: accounts, a book per symbol, trades, events, and the faults a test asks for. `binance`
and `kraken` are thin dialects over it. Real ccxt classes are pointed at it by their addresses; signatures are checked.
"""
