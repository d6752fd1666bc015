"""Adapters: how each peer does each workload. Run in the peer's own process and interpreter."""
