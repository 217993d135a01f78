"""Mail that comes back: our own port, and what is answered there."""
