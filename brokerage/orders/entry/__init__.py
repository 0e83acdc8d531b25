"""Order entry: gated orders and changes of them, each decided in one transaction under the fence. Speaks to no venue."""
