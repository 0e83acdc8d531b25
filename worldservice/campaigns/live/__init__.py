"""What is read of strategies live: their days in the risk hub, open breaches, shares of capital."""
