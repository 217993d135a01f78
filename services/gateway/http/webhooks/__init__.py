"""Other systems, told what became of notifications."""
