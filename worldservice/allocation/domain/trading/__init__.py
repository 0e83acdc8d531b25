"""From scaled positions to orders: constraints, netting, overlay hedges, estimated cost and pace. Sends nothing."""
