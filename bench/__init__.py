"""Benchmarks: each prints ratios of things measured side by side, interleaved, in one run. Loopback only, bounded."""
