"""Speed and memory of baryon against its peers: ``python -m benchmarks`` (docs/benchmarks.md).

`workloads` and `peers` also run in the peers' interpreters, Python 3.8 among them, and need only
NumPy and the peer; the rest runs in baryon's.
"""
