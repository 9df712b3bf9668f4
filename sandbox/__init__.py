"""What makes the quickstart and the tests run with nothing installed but Python."""
