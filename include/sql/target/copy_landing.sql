-- Take rows as the source delivered them, as text, stamped with job log, batch and position in the fetch.
-- Identifiers: landing, columns. COPY rows: job_log_id, batch_no, row_no, the contract's columns, unstorable.
COPY {landing} (job_log_id, batch_no, row_no, {columns}, unstorable) FROM STDIN
