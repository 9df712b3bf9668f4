-- Empty what an earlier fetch left: landing and its list of batches.
-- Identifiers: landing, batches.
TRUNCATE {landing}, {batches}
