"""The operator's side: pages over every package. Nothing imports it, and every rule it follows stands elsewhere."""
