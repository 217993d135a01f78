"""Who carries mail, each behind the same question: take this one, and say what became of it."""
