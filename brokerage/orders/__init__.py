"""Takes, cancels, lists and tells of orders: the only writer of order events. Never speaks to a venue."""
