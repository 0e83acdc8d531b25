"""Commands about the mesh itself: processes, tokens, status, configuration, the control bus."""
