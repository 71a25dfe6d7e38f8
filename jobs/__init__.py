"""RQ entry points. Thin: take ids, ask whether there is still anything to do, call a gateway outside any
transaction, record the answer through one more verb."""
