"""What contracts and grants say about each RPC: who may call it and whether it may be retried."""
