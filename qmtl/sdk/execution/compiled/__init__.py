"""Stretches of a replay in compiled code: the decisions and fills that are plain, and who says where they end."""
