"""Copy a company's open orders from SQL Server to PostgreSQL and keep a job log of every execution."""
