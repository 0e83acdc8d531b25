"""The outputs of a ComputeKey: each bucket is written once, by the holder of its producer lease, and read in
order.
"""
