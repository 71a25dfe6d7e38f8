"""The labels by which the portal knows its own objects in a cluster it may share with others."""

INSTANCE_LABEL = "minispod.io/instance"
CUSTOMER_LABEL = "minispod.io/customer"
MANAGED_LABEL = "app.kubernetes.io/managed-by"
MANAGER = "minispod"

MANAGED_SELECTOR = f"{MANAGED_LABEL}={MANAGER}"
"""Finds everything that the portal made, namespaces included."""
