"""Stand-ins for the outside world, spoken to over HTTP by the real clients. Nothing here imports the portal."""
