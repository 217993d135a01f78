"""What is due, and when people are reminded."""
