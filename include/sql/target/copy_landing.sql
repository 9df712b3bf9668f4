-- Take rows as the source delivered them, with their position in the fetch.
-- Identifiers: landing, landed (the columns that the batches have: for each of the contract's either the text or the typed
--   one, and unstorable). Keyword: format (text or binary). COPY rows: row_no, the columns.
COPY {landing} (row_no, {landed}) FROM STDIN (FORMAT {format})
