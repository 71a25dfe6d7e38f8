"""Receipts for top-ups and invoices for what credit buys: numbers, lines, PPN, PDF."""
