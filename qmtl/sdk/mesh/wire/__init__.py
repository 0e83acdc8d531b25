"""Values of the SDK to messages and back. Decides, sends and defaults nothing."""
