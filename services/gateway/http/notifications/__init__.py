"""Ask, see, move, cancel; and what did not arrive."""
