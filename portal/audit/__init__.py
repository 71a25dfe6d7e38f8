"""Who did what to what. Append-only."""
