"""Live bars to the accounts that trade on them."""
