-- One message of a job log.
-- Parameters: job_log_id bigint; level, task_id, message text; try_number integer.
INSERT INTO job_log_details (job_log_id, level, task_id, try_number, message)
VALUES (%(job_log_id)s, %(level)s, %(task_id)s, %(try_number)s, %(message)s)
