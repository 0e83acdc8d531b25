"""Commands on the folder of a scaled-out mesh."""
