"""A local replay step by step: the commands of each step, the bars it trades on, and the symbols that end meanwhile."""
