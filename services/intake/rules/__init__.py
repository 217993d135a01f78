"""What intake decides. Pure: no I/O and no clock; time comes in as an argument."""
