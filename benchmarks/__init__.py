"""What tailgate costs, measured side by side with what a user would pick instead: ``python -m benchmarks``."""
