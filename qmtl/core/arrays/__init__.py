"""Arrays that several packages share: their types, and merging of sorted columns. Here core needs numpy."""
