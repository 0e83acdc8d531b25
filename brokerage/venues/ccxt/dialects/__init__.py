"""How each exchange is asked, and how its answers are read. Nothing here decides."""
