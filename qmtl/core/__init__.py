"""Words every room shares, as pure values and functions: errors, money, time, modes, identity."""
