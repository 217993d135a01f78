"""What mail servers mean by what they say. Pure."""
