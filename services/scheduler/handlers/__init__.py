"""What the scheduler does about what it reads; each handler works in the transaction of its batch."""
