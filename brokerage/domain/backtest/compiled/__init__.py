"""The arithmetic of an account in a form that numba compiles: exact in 64 bits, or refused."""
