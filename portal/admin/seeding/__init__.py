"""A large, made-up business whose books audit clean: for measuring and for looking, never for production."""
