"""RPCs of allocations: shares and proposals, plans and runs."""
