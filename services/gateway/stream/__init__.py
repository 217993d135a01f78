"""Real time: who listens, what is pushed to them, and how one who comes back gets what was missed (P6.4)."""
