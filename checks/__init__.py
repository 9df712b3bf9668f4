"""Checks of the repository that need more than a linter."""
