-- Tell the planner how the batches lie, so that importing one reads only its own rows.
-- Identifiers: landing.
ANALYZE {landing} (batch_no)
