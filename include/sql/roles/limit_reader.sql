-- What a session of the web role begins with. Pages set shorter limits of their own; two minutes are a download's.
-- Identifiers: role.
ALTER ROLE {role} SET default_transaction_read_only = on;
ALTER ROLE {role} SET statement_timeout = '120s';
ALTER ROLE {role} SET idle_in_transaction_session_timeout = '60s';
ALTER ROLE {role} SET lock_timeout = '15s'
