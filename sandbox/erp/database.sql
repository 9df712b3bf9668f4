-- The sample ERP's database. CREATE DATABASE can't stand in a transaction, nor take its name from a parameter.
-- Parameter: the database's name.
DECLARE @database sysname = %(database)s, @statement nvarchar(max);
IF DB_ID(@database) IS NULL
BEGIN
    SET @statement = N'CREATE DATABASE ' + QUOTENAME(@database);
    EXEC (@statement);
END
