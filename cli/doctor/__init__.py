"""`tocsin doctor`: the usual troubles, found and explained, with half of the system down too."""
