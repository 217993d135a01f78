"""A message is handed over at most once per claim, and what nobody knows about it is said (P5)."""
