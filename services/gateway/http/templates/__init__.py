"""What notifications say, in versions."""
