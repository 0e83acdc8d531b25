"""How the fills of one order for several are shared out among them."""
