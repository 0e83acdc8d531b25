"""Commands about one world: policies, activation, evaluation, apply, members, edges, events."""
