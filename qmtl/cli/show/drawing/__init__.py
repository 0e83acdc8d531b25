"""A graph as boxes and lines in a terminal, as Graphviz DOT or as JSON. Pure."""
