"""What a call meets before its own code: rate, level of degradation, consent to live trading. It knows no body."""
