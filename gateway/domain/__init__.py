"""Pure words of the gateway: the order gate and the life of a submission."""
