"""The ledger, and the list of transactions a customer sees."""
