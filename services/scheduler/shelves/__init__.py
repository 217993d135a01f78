"""Where things wait for their time, a shelf for each kind: what is due of it, and what becomes of it (firing.py)."""
