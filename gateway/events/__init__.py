"""What a client may see of a world's events, and from where on. It writes nothing."""
