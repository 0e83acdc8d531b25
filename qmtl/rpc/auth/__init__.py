"""Tokens, keys and identities: who is calling, and how a token is verified, minted and kept."""
