-- Forget rejects that this run's replace: rows of the same key with the same offence, delivered with other values before,
-- and rows that a repeated import of this run found to be good.
-- Expression from the contract: same_rejected_key. Parameters: job_log_id bigint; contract text.
-- Index: rejected_orders_last_job_log_id_idx.
DELETE FROM rejected_orders AS known
WHERE contract = %(contract)s
    AND (
        occurrences = 0
        OR (
            last_job_log_id <> %(job_log_id)s
            AND EXISTS (
                SELECT FROM rejected_orders AS current
                WHERE current.contract = known.contract AND current.last_job_log_id = %(job_log_id)s
                    AND current.reason = known.reason AND {same_rejected_key}
            )
        )
    )
