"""What strategies may do now, brokerage's fence, and the gate sessions of gateways. Never widens by itself."""
