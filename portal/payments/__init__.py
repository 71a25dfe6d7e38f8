"""Payments through gateways: top-ups, their attempts, and every notification kept as it came."""
