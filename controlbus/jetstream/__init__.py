"""The connection to the broker and its streams, subjects and permissions. Knows no event and no record."""
