"""A local replay step by step: the commands of each step, and the bars it trades on."""
