"""What a person must look at: opened when it is seen, told once, closed when it is over."""
