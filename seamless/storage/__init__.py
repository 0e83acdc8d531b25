"""Bars that were fetched, kept until and after they are sealed: Parquet files, and in SQL what is known of them.

Nothing stored is changed in place: a write adds files, a compaction replaces them, a transaction says which count.
"""
