"""Strategy projects of an author: put together from layers, written, brought up to date, validated.

Knows no service and runs without a mesh. After rendering nothing here stands between the author's files and the SDK.
"""
