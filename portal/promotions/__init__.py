"""Promo codes: credit that the business gives, once per person, as long as there is some left."""
