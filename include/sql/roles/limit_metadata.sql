-- What a session of Airflow's own role begins with. A scheduler that is killed in a transaction leaves workers behind
-- that hold its connection open, so the server would keep its locks for good, and the next scheduler would wait for them.
-- Airflow's own transactions are idle for moments.
-- Identifiers: role.
ALTER ROLE {role} SET idle_in_transaction_session_timeout = '60s'
