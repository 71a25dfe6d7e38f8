"""Subscribing to a plan and everything that follows; composes the packages below it."""
