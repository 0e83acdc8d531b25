"""Whether a graph makes the same of the same bars in processes of their own: other clocks, folders and hash seeds."""
