"""What is remembered: cache, usage, calls, batches and limits, and what each token costs."""
