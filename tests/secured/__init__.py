"""Servers as they stand in a house that trusts nobody: TLS, passwords, rights."""
