"""Builds side by side: ours and BuildKit's, the same Dockerfile, the same registry, in turn. `python -m benchmarks`."""
