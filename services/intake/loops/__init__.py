"""What intake does beside what it reads: it looks for what is lost, and goes on with what takes longer than a batch."""
