"""worldservice: the only authority on what may trade. Owns worlds, policies, decisions, activation."""
