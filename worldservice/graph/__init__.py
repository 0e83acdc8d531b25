"""The World View Graph: nodes, validations, edges and their openings in one world. Judges no strategy."""
