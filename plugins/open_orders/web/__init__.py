"""The pages and the API of Job Logs and Open Orders: they read the orders database, and never change it."""
