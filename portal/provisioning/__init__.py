"""Kubernetes: what an instance needs there (`manifests`, pure) and the talk with the API server."""
