-- What an import would make of some rows, without importing them.
-- Identifiers: columns (of the landing table). Expressions from the contract: typed_columns (each with its type), reason.
-- Parameters: rows text, a JSON array of objects of the landing table's texts, `unstorable` among them.
-- Result: reason, one for each row, in order: '' for a row that keeps the contract.
SELECT {reason} AS reason
FROM
    ROWS FROM (jsonb_to_recordset(%(rows)s::jsonb) AS ({typed_columns}, unstorable text)) WITH ORDINALITY
    AS delivered ({columns}, unstorable, position)
ORDER BY position
