"""The commands by subject: options in, one exchange with the gateway, a table or JSON out."""
