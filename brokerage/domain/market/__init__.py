"""Facts of a market as values: instruments, marks, bars. Guesses no instrument."""
