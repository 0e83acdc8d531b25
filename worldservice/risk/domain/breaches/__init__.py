"""How targets stand to the limits and rules of a policy: what one snapshot says, and the states of a breach."""
