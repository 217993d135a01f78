"""One for each thing that can happen."""
