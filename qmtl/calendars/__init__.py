"""When venues are open and which bars they should have made: spans of time, sessions, weekly windows,
zones.\nPure: reads no clock and fetches no calendar.
"""
