"""Confines and runs processes."""
