"""Which instruments, venues and reality models this brokerage is set up with; refuses an unknown symbol."""
