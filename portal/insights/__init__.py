"""What the operator should know: reports over time."""
