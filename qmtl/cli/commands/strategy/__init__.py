"""Commands about submitted strategies, and the submission itself."""
