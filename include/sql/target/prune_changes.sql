-- Forget the changes of earlier syncs that are too old, and the oldest of too many: the table stays bounded.
-- Ids grow by one for each change, and with the time: the distance to the newest id counts the rows without reading them.
-- Those to forget are looked up by id: comparing with what is not known yet, PostgreSQL would read the whole table.
-- Parameters: job_log_id bigint (whose changes stay); kept_since timestamptz; kept_rows, most bigint (to forget at once).
-- Index: open_order_changes_created_at_idx; the table's primary key.
DELETE FROM open_order_changes
WHERE ctid = ANY (
    ARRAY(
        SELECT ctid
        FROM open_order_changes
        WHERE job_log_id <> %(job_log_id)s
            AND id < greatest(
                (SELECT max(id) + 1 - %(kept_rows)s FROM open_order_changes),
                coalesce(
                    (
                        SELECT id FROM open_order_changes
                        WHERE created_at >= %(kept_since)s
                        ORDER BY created_at
                        LIMIT 1
                    ),
                    9223372036854775807
                )
            )
        ORDER BY id
        LIMIT %(most)s
    )
)
