"""Checks before first use; run them with `bin/check` or `python -m open_orders.check`."""
