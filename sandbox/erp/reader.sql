-- The login of the sync, which may read the ERP's database and nothing else. Run in that database; safe to repeat.
-- Parameters: the login's name and password, at most 128 characters each.
DECLARE @login sysname = %(login)s, @password nvarchar(128) = %(password)s, @statement nvarchar(max);
SET @statement = CASE WHEN SUSER_ID(@login) IS NULL THEN N'CREATE' ELSE N'ALTER' END
    + N' LOGIN ' + QUOTENAME(@login) + N' WITH PASSWORD = ' + QUOTENAME(@password, '''');
EXEC (@statement);
IF DATABASE_PRINCIPAL_ID(@login) IS NULL
BEGIN
    SET @statement = N'CREATE USER ' + QUOTENAME(@login) + N' FOR LOGIN ' + QUOTENAME(@login);
    EXEC (@statement);
END
SET @statement = N'ALTER ROLE db_datareader ADD MEMBER ' + QUOTENAME(@login);
EXEC (@statement);
