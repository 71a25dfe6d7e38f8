"""What is for sale: categories, services, plans, prices and slots."""
