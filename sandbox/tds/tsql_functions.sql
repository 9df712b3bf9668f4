-- Purpose: what T-SQL has and PostgreSQL lacks, for the stand-in SQL Server's translated statements.
-- Run once per database by sandbox.tds.postgres_engine, under an advisory lock; repeatable.
-- The schema tsql stands before pg_catalog in the search path, so avg and + below win over the built-in ones.

CREATE SCHEMA IF NOT EXISTS dbo;
CREATE SCHEMA IF NOT EXISTS tsql;
CREATE SCHEMA IF NOT EXISTS sys;

-- strings
CREATE OR REPLACE FUNCTION tsql.len(text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT char_length(rtrim($1, ' ')) $$;
CREATE OR REPLACE FUNCTION tsql.datalength(text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT 2 * char_length($1) $$;
CREATE OR REPLACE FUNCTION tsql.datalength(bytea) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT octet_length($1) $$;
CREATE OR REPLACE FUNCTION tsql.joined(text, text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT $1 || $2 $$;
CREATE OR REPLACE FUNCTION tsql.stuff(text, integer, integer, text) RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT overlay($1 PLACING coalesce($4, '') FROM $2 FOR $3) $$;
CREATE OR REPLACE FUNCTION tsql.quotename(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT '[' || replace($1, ']', ']]') || ']' $$;
CREATE OR REPLACE FUNCTION tsql.isnumeric(text) RETURNS integer LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN pg_input_is_valid(trim($1), 'numeric') THEN 1 ELSE 0 END $$;
CREATE OR REPLACE FUNCTION tsql.isdate(text) RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT CASE WHEN pg_input_is_valid($1, 'timestamp') THEN 1 ELSE 0 END $$;
CREATE OR REPLACE FUNCTION tsql.str(numeric, integer DEFAULT 10, integer DEFAULT 0) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT lpad(round($1, $3)::text, $2) $$;

-- conversions
CREATE OR REPLACE FUNCTION tsql.to_bit(text) RETURNS smallint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN lower(trim($1)) = 'true' THEN 1::smallint WHEN lower(trim($1)) = 'false' THEN 0::smallint
                ELSE abs(sign($1::numeric))::smallint END $$;
CREATE OR REPLACE FUNCTION tsql.truncated(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT trunc($1) $$;
CREATE OR REPLACE FUNCTION tsql.truncated(bigint) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT $1 $$;
CREATE OR REPLACE FUNCTION tsql.truncated(integer) RETURNS integer LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT $1 $$;
CREATE OR REPLACE FUNCTION tsql.truncated(double precision) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT trunc($1) $$;
CREATE OR REPLACE FUNCTION tsql.truncated(text) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT trim($1) $$;

-- CONVERT(text type, value, style): the styles of Microsoft's "CAST and CONVERT"
CREATE OR REPLACE FUNCTION tsql.style_pattern(integer) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE $1
        WHEN 0 THEN 'Mon DD YYYY HH12:MIAM' WHEN 100 THEN 'Mon DD YYYY HH12:MIAM'
        WHEN 1 THEN 'MM/DD/YY' WHEN 101 THEN 'MM/DD/YYYY' WHEN 2 THEN 'YY.MM.DD' WHEN 102 THEN 'YYYY.MM.DD'
        WHEN 3 THEN 'DD/MM/YY' WHEN 103 THEN 'DD/MM/YYYY' WHEN 4 THEN 'DD.MM.YY' WHEN 104 THEN 'DD.MM.YYYY'
        WHEN 5 THEN 'DD-MM-YY' WHEN 105 THEN 'DD-MM-YYYY' WHEN 6 THEN 'DD Mon YY' WHEN 106 THEN 'DD Mon YYYY'
        WHEN 8 THEN 'HH24:MI:SS' WHEN 24 THEN 'HH24:MI:SS' WHEN 108 THEN 'HH24:MI:SS'
        WHEN 10 THEN 'MM-DD-YY' WHEN 110 THEN 'MM-DD-YYYY' WHEN 11 THEN 'YY/MM/DD' WHEN 111 THEN 'YYYY/MM/DD'
        WHEN 12 THEN 'YYMMDD' WHEN 112 THEN 'YYYYMMDD' WHEN 14 THEN 'HH24:MI:SS:MS' WHEN 114 THEN 'HH24:MI:SS:MS'
        WHEN 20 THEN 'YYYY-MM-DD HH24:MI:SS' WHEN 120 THEN 'YYYY-MM-DD HH24:MI:SS'
        WHEN 21 THEN 'YYYY-MM-DD HH24:MI:SS.MS' WHEN 121 THEN 'YYYY-MM-DD HH24:MI:SS.MS'
        WHEN 25 THEN 'YYYY-MM-DD HH24:MI:SS.MS' WHEN 23 THEN 'YYYY-MM-DD'
        WHEN 126 THEN 'YYYY-MM-DD"T"HH24:MI:SS.MS' WHEN 127 THEN 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'
    END $$;
CREATE OR REPLACE FUNCTION tsql.styled(timestamp, integer) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    -- Style 126 leaves the fraction out when it is zero.
    SELECT CASE WHEN $2 IN (126, 127) AND date_trunc('second', $1) = $1
                THEN to_char($1, replace(tsql.style_pattern($2), '.MS', ''))
                ELSE to_char($1, tsql.style_pattern($2)) END $$;
CREATE OR REPLACE FUNCTION tsql.styled(date, integer) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN $2 IN (20, 21, 23, 25, 120, 121, 126, 127) THEN to_char($1, 'YYYY-MM-DD')
                WHEN $2 IN (0, 100) THEN to_char($1, 'Mon DD YYYY')
                ELSE to_char($1, tsql.style_pattern($2)) END $$;
CREATE OR REPLACE FUNCTION tsql.styled(timestamptz, integer) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE
    AS $$ SELECT tsql.styled($1 AT TIME ZONE 'UTC', $2) || CASE WHEN $2 IN (20, 21, 120, 121, 126) THEN ' +00:00' ELSE '' END $$;
CREATE OR REPLACE FUNCTION tsql.styled(time, integer) RETURNS text LANGUAGE sql STABLE STRICT PARALLEL SAFE
    AS $$ SELECT to_char($1, CASE WHEN $2 IN (8, 24, 108, 20, 120) THEN 'HH24:MI:SS' ELSE 'HH24:MI:SS.US' END) $$;
CREATE OR REPLACE FUNCTION tsql.styled(numeric, integer) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT CASE WHEN $2 = 1 THEN trim(to_char($1, 'FM999,999,999,999,999,990.00')) ELSE $1::text END $$;
CREATE OR REPLACE FUNCTION tsql.styled(double precision, integer) RETURNS text
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1::text $$;
CREATE OR REPLACE FUNCTION tsql.styled(bytea, integer) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT CASE $2 WHEN 1 THEN '0x' ELSE '' END || upper(encode($1, 'hex')) $$;
CREATE OR REPLACE FUNCTION tsql.styled(text, integer) RETURNS text LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT $1 $$;

-- CONVERT(date type, text, style)
CREATE OR REPLACE FUNCTION tsql.moment(text, integer) RETURNS timestamp LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE WHEN $2 IN (1, 2, 3, 4, 5, 6, 10, 11, 12, 101, 102, 103, 104, 105, 106, 110, 111, 112)
                THEN to_timestamp($1, tsql.style_pattern($2)) AT TIME ZONE 'UTC'
                ELSE $1::timestamp END $$;
CREATE OR REPLACE FUNCTION tsql.moment(timestamp, integer) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT $1 $$;
CREATE OR REPLACE FUNCTION tsql.moment(date, integer) RETURNS timestamp LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT $1::timestamp $$;
CREATE OR REPLACE FUNCTION tsql.moment(timestamptz, integer) RETURNS timestamp
    LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT $1 AT TIME ZONE 'UTC' $$;

-- dates; the stand-in's local time is UTC
CREATE OR REPLACE FUNCTION tsql.getdate() RETURNS timestamp LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT statement_timestamp() AT TIME ZONE 'UTC' $$;
CREATE OR REPLACE FUNCTION tsql.getutcdate() RETURNS timestamp LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT tsql.getdate() $$;
CREATE OR REPLACE FUNCTION tsql.sysutcdatetime() RETURNS timestamp LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT tsql.getdate() $$;
CREATE OR REPLACE FUNCTION tsql.step(text, bigint) RETURNS interval LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE $1
        WHEN 'year' THEN make_interval(years => $2::integer) WHEN 'quarter' THEN make_interval(months => 3 * $2::integer)
        WHEN 'month' THEN make_interval(months => $2::integer) WHEN 'week' THEN make_interval(weeks => $2::integer)
        WHEN 'day' THEN make_interval(days => $2::integer) WHEN 'hour' THEN make_interval(hours => $2::integer)
        WHEN 'minute' THEN make_interval(mins => $2::integer) WHEN 'second' THEN make_interval(secs => $2)
        WHEN 'millisecond' THEN $2 * interval '1 millisecond' WHEN 'microsecond' THEN $2 * interval '1 microsecond'
    END $$;
CREATE OR REPLACE FUNCTION tsql.dateadd(text, bigint, date) RETURNS date LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT ($3 + tsql.step($1, $2))::date $$;
CREATE OR REPLACE FUNCTION tsql.dateadd(text, bigint, timestamp) RETURNS timestamp
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $3 + tsql.step($1, $2) $$;
CREATE OR REPLACE FUNCTION tsql.dateadd(text, bigint, timestamptz) RETURNS timestamptz
    LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT $3 + tsql.step($1, $2) $$;
CREATE OR REPLACE FUNCTION tsql.dateadd(text, bigint, time) RETURNS time
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $3 + tsql.step($1, $2) $$;
CREATE OR REPLACE FUNCTION tsql.dateadd(text, bigint, text) RETURNS timestamp
    LANGUAGE sql STABLE STRICT PARALLEL SAFE AS $$ SELECT $3::timestamp + tsql.step($1, $2) $$;
-- DATEDIFF counts boundaries crossed, not time elapsed; weeks begin on Sunday.
CREATE OR REPLACE FUNCTION tsql.datediff(text, timestamp, timestamp) RETURNS bigint
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE $1
        WHEN 'year' THEN extract(year FROM $3) - extract(year FROM $2)
        WHEN 'quarter' THEN (extract(year FROM $3) - extract(year FROM $2)) * 4
                            + extract(quarter FROM $3) - extract(quarter FROM $2)
        WHEN 'month' THEN (extract(year FROM $3) - extract(year FROM $2)) * 12
                          + extract(month FROM $3) - extract(month FROM $2)
        WHEN 'week' THEN (($3::date - extract(dow FROM $3)::integer) - ($2::date - extract(dow FROM $2)::integer)) / 7
        WHEN 'day' THEN $3::date - $2::date
        WHEN 'hour' THEN extract(epoch FROM date_trunc('hour', $3) - date_trunc('hour', $2)) / 3600
        WHEN 'minute' THEN extract(epoch FROM date_trunc('minute', $3) - date_trunc('minute', $2)) / 60
        WHEN 'second' THEN extract(epoch FROM date_trunc('second', $3) - date_trunc('second', $2))
        WHEN 'millisecond' THEN extract(epoch FROM date_trunc('milliseconds', $3) - date_trunc('milliseconds', $2)) * 1000
        WHEN 'microsecond' THEN extract(epoch FROM $3 - $2) * 1000000
    END::bigint $$;
CREATE OR REPLACE FUNCTION tsql.datepart(text, timestamp) RETURNS integer
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$
    SELECT CASE $1
        WHEN 'weekday' THEN extract(dow FROM $2) + 1 WHEN 'dayofyear' THEN extract(doy FROM $2)
        WHEN 'week' THEN floor((extract(doy FROM $2) + extract(dow FROM date_trunc('year', $2)) - 1) / 7) + 1
        WHEN 'iso_week' THEN extract(week FROM $2) WHEN 'second' THEN floor(extract(second FROM $2))
        WHEN 'millisecond' THEN mod(floor(extract(milliseconds FROM $2)), 1000)
        WHEN 'microsecond' THEN mod(extract(microseconds FROM $2), 1000000)
        ELSE date_part($1, $2)::numeric END::integer $$;
CREATE OR REPLACE FUNCTION tsql.eomonth(timestamp, integer DEFAULT 0) RETURNS date
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    AS $$ SELECT (date_trunc('month', $1) + make_interval(months => $2 + 1) - interval '1 day')::date $$;
CREATE OR REPLACE FUNCTION tsql.days_later(timestamp, integer) RETURNS timestamp
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1 + make_interval(days => $2) $$;
CREATE OR REPLACE FUNCTION tsql.days_earlier(timestamp, integer) RETURNS timestamp
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT $1 - make_interval(days => $2) $$;

-- catalog; the spelling of a name and the T-SQL type of a column live in comments, as JSON
-- A name may be 'x', 'dbo.x', '[ERP].[dbo].[x]' or 'tempdb..#x'.
CREATE OR REPLACE FUNCTION tsql.object_id(text, text DEFAULT NULL) RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT to_regclass(
        CASE WHEN $1 LIKE '%#%' THEN format('%I', lower(rtrim(substring($1 FROM '#.*'), ']')))
             ELSE (SELECT format('%I.%I', coalesce(parts[cardinality(parts) - 1], 'dbo'), parts[cardinality(parts)])
                     FROM parse_ident(lower(translate($1, '[]', '""'))) AS parts)
        END)::oid::integer $$;
CREATE OR REPLACE VIEW sys.tables AS
    SELECT coalesce(obj_description(c.oid, 'pg_class')::json ->> 'name', c.relname) AS name,
           c.oid::integer AS object_id, n.oid::integer AS schema_id, 'U'::text AS type
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE c.relkind = 'r' AND n.nspname = 'dbo';
CREATE OR REPLACE VIEW sys.columns AS
    SELECT a.attrelid::integer AS object_id,
           coalesce(col_description(a.attrelid, a.attnum)::json ->> 'name', a.attname) AS name,
           a.attnum::integer AS column_id, CASE WHEN a.attnotnull THEN 0 ELSE 1 END AS is_nullable
      FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = 'dbo' AND a.attnum > 0 AND NOT a.attisdropped;
CREATE OR REPLACE VIEW tsql.tables AS
    SELECT current_setting('tsql.database', true) AS table_catalog, 'dbo'::text AS table_schema, name AS table_name, 'BASE TABLE'::text AS table_type
      FROM sys.tables;
CREATE OR REPLACE VIEW tsql.columns AS
    SELECT current_setting('tsql.database', true) AS table_catalog, 'dbo'::text AS table_schema, t.name AS table_name, c.name AS column_name,
           c.column_id AS ordinal_position, CASE c.is_nullable WHEN 0 THEN 'NO' ELSE 'YES' END AS is_nullable
      FROM sys.tables t JOIN sys.columns c ON c.object_id = t.object_id;

DO $$
DECLARE kind text;
BEGIN
    IF to_regoperator('tsql.+(text,text)') IS NULL THEN
        CREATE OPERATOR tsql.+ (LEFTARG = text, RIGHTARG = text, FUNCTION = tsql.joined);
        CREATE OPERATOR tsql.+ (LEFTARG = timestamp, RIGHTARG = integer, FUNCTION = tsql.days_later);
        CREATE OPERATOR tsql.- (LEFTARG = timestamp, RIGHTARG = integer, FUNCTION = tsql.days_earlier);
    END IF;
    IF to_regprocedure('tsql.avg(bigint)') IS NULL THEN
        -- AVG of integers is an integer in T-SQL.
        CREATE FUNCTION tsql.average(bigint[]) RETURNS bigint LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
            AS 'SELECT $1[1] / nullif($1[2], 0)';
        FOREACH kind IN ARRAY ARRAY['smallint', 'integer', 'bigint'] LOOP
            EXECUTE format(
                'CREATE FUNCTION tsql.add_to_average(bigint[], %1$s) RETURNS bigint[]
                     LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS ''SELECT ARRAY[$1[1] + $2, $1[2] + 1]'';
                 CREATE AGGREGATE tsql.avg(%1$s) (SFUNC = tsql.add_to_average, STYPE = bigint[],
                     INITCOND = ''{0,0}'', FINALFUNC = tsql.average)', kind);
        END LOOP;
    END IF;
END $$;
