"""Benchmarks and tests for a machine with an NVIDIA GPU, all in one run of ten minutes."""
