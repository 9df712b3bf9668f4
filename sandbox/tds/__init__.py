"""A stand-in SQL Server: enough of TDS 7.4 for a real driver, and nothing of SQL Server behind it.

Start one in a test with `sandbox.tds.server.StandInServer`, or as a process with `python -m sandbox.tds`.
The README beside this file says what it is not.
"""
