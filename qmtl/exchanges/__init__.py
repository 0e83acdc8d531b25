"""What brokerage and seamless share of an exchange: its rate limits with a reserve for trading, and credentials."""
