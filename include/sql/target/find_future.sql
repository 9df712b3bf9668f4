-- Landed rows that were last changed later than it is, by the ERP's clock; values that break the contract don't count.
-- Identifiers: landing, last_change, last_change_typed. Expressions from the contract: last_change_reason, shown_key.
-- Parameters: clock text, as `YYYY-MM-DD hh:mm:ss.ffffff`.
-- Result: rows (how many there are), latest (timestamp), key (text) of the latest; no row when there are none.
SELECT
    count(*) OVER () AS rows, coalesce({last_change_typed}, {last_change}::timestamp) AS latest, {shown_key} AS key
FROM {landing}
WHERE
    CASE
        WHEN {last_change_typed} IS NOT NULL THEN {last_change_typed} > %(clock)s::text::timestamp
        -- As texts first: nearly all rows are earlier, and a valid text never sorts before an earlier moment.
        WHEN {last_change} COLLATE "C" <= %(clock)s::text THEN FALSE
        WHEN {last_change_reason} IS NULL THEN {last_change}::timestamp > %(clock)s::text::timestamp
    END
ORDER BY latest DESC
LIMIT 1
