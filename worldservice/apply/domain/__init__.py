"""The state machine of an apply and what each phase makes of an activation. No I/O."""
