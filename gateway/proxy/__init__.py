"""Other services' PUBLIC methods under the gateway's address: bytes in, bytes out."""
