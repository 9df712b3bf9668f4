-- Forget the changes of earlier syncs that are too old, and the oldest of too many: the table stays bounded.
-- Ids grow by one for each change, so the distance to the newest id counts the rows without reading them.
-- Parameters: job_log_id bigint (whose changes stay); kept_since timestamptz; kept_rows bigint.
-- Index: open_order_changes_created_at_idx; the table's primary key.
DELETE FROM open_order_changes
WHERE job_log_id <> %(job_log_id)s
    AND (created_at < %(kept_since)s OR id <= (SELECT max(id) FROM open_order_changes) - %(kept_rows)s)
