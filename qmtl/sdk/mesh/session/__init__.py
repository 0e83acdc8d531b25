"""A paper session: bars in, orders out, fills and activation followed, through restarts of every service."""
