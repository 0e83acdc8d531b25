"""Settings from files and environment, and the home folder of a local mesh."""
