"""What is deleted is kept as compressed JSON lines: a file per day, each with an index by which it is searched."""
