"""Telling people: in-app notices and mail. Stored as a code and its parameters, worded when shown."""
