"""The RPCs of activation, of the sessions of worlds and of the gate sessions of gateways."""
