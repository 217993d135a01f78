"""A relay: sessions opened by aiosmtplib (TLS, AUTH), then our own few commands, pipelined where it offers that."""
