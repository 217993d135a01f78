"""The SQL of a sender's tables: a statement per batch, a sentence per statement."""
