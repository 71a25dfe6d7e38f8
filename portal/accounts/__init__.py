"""Users with server-side sessions, and the customers they act for."""
