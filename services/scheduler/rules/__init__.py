"""What the scheduler decides. Pure: the time comes in as an argument."""
