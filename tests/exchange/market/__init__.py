"""Market data of the local exchange: bars that follow from a seed, and what goes wrong with telling them."""
