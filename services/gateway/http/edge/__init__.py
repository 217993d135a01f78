"""What every call passes: limits, headers, and roads for what must cost little."""
