"""Words that all code shares, as pure values and functions: errors, money, time, modes, identity."""
