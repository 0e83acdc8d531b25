"""Bars as exchanges close them: followed, stored, told to subscribers, and their lag told to worldservice."""
