"""Alembic migrations of the orders database; run them with `bin/migrate` or `python -m open_orders.migrations`."""
