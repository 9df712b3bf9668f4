-- Move all messages into a table of the same name and indexes that has a partition for each month; the plain table stays
-- as job_log_details_plain. No parameters, no result.
DO $$
DECLARE
    month timestamptz;
BEGIN
    ALTER TABLE job_log_details RENAME TO job_log_details_plain;
    CREATE TABLE job_log_details (
        LIKE job_log_details_plain INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING IDENTITY
    ) PARTITION BY RANGE (created_at);
    FOR month IN
        SELECT generate_series(date_trunc('month', min(created_at)), max(created_at), interval '1 month')
        FROM job_log_details_plain
    LOOP
        EXECUTE format(
            'CREATE TABLE %I PARTITION OF job_log_details FOR VALUES FROM (%L) TO (%L)',
            'job_log_details_' || to_char(month, 'YYYY_MM'), month, month + interval '1 month'
        );
    END LOOP;
    INSERT INTO job_log_details OVERRIDING SYSTEM VALUE SELECT * FROM job_log_details_plain ORDER BY id;
    -- A key of a partitioned table has to hold what it is partitioned by.
    ALTER TABLE job_log_details ADD PRIMARY KEY (id, created_at);
    CREATE INDEX ON job_log_details (job_log_id, id);
    CREATE INDEX ON job_log_details (created_at);
    ALTER TABLE job_log_details ADD FOREIGN KEY (job_log_id) REFERENCES job_logs (id) ON DELETE CASCADE;
    -- Who may read the plain table may read this one.
    EXECUTE (
        SELECT coalesce(string_agg(
            format('GRANT %s ON job_log_details TO %I', privilege_type, grantee), '; '
        ), 'SELECT')
        FROM information_schema.role_table_grants
        WHERE table_name = 'job_log_details_plain' AND grantee <> current_user
    );
END $$
