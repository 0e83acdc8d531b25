"""Real exchanges behind the port, over the classes of ccxt: one account at one exchange each.

ccxt signs, sends and names errors; numbers stay the exchange's own decimal text, never ccxt's floats. What an outcome
means is decided here: a timeout, a lost connection and a 5xx after the send are UNKNOWN, never a rejection.
"""
