"""The customer's home page: composes many packages."""
