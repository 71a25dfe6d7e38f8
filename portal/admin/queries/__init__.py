"""Reads of the operator's side, one module per section."""
