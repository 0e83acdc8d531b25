"""Order entry: gated orders and changes of them, each decided in one transaction. Speaks to no venue."""
