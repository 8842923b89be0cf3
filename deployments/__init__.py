"""Prefect deployments and cluster files, as package data."""
