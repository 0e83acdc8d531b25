"""The pure room of allocations: shares, budgets, plans and runs, in exact fractions; it knows no message and no row."""
