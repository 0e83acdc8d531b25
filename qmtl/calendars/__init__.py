"""When venues are open and which bars they should have made: spans of time, sessions, weekly windows, zones.

Pure: reads no clock and fetches no calendar.
"""
