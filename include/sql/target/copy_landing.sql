-- Take rows as the source delivered them, stamped with job log, batch and position in the fetch.
-- Identifiers: landing, landed (the columns that the batches have: for each of the contract's either the text or the typed
--   one, and unstorable). Keyword: format (text or binary). COPY rows: job_log_id, batch_no, row_no, the columns.
COPY {landing} (job_log_id, batch_no, row_no, {landed}) FROM STDIN (FORMAT {format})
