"""Taking over from a direct-payment system: its users, balances, running subscriptions and old invoices, from CSV."""
