"""Changes of plan."""
