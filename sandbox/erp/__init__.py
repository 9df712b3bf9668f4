"""A sample ERP: sales orders in SQL Server that arrive, ship, change and close.

It uses nothing but T-SQL through pymssql, so it lives in the stand-in as well as in a real SQL Server.
"""
