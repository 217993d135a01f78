"""What intake does about what it reads: one handler per group of topics, each in one transaction per batch."""
