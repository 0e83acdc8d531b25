"""Reality models, one a file: fees, fills, slippage, latency, buying power. Knows no world, fence or limit."""
