"""The audit of the books: composes every package's proofs, changes nothing."""
