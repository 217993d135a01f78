"""Where people are reached and what they want; one of them exported, or forgotten."""
