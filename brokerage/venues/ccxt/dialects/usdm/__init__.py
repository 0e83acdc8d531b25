"""What Binance USD-M has beside its order book: orders that wait for a price, and the key of the user's stream."""
