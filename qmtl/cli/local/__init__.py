"""The mesh of one machine: its layout, its processes, their supervisor.

Knows no command and no contract but health and status.
"""
