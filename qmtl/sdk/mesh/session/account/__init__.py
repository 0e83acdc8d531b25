"""The account that a session trades on: opened or found, its portfolio followed, its books made again from fills."""
