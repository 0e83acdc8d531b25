"""Commands about accounts' capital: shares of worlds and strategies, proposals, rebalancing plans and runs."""
