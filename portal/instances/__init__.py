"""What runs for the customer: states, timeline, secrets."""
