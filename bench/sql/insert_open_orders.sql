-- Open orders, three lines each, as the newest successful sync published them; one in a hundred changed by it.
-- Parameters: lines int, job_log_id bigint.
INSERT INTO open_orders (
    order_number, line_number, customer_code, customer_name, item_code, item_description, order_date, due_date,
    quantity_ordered, quantity_shipped, quantity_open, unit_price, amount_open, currency, warehouse, order_status,
    source_updated_at, first_job_log_id, changed_job_log_id
)
SELECT
    format('SO-%%s', 100000 + i / 3),
    1 + i %% 3,
    format('C%%s', 1000 + customer),
    (ARRAY['Nordwind', 'Kühlmann', 'Alvarez', 'Dupont', 'Okafor', 'Smith'])[1 + customer %% 6]
        || (ARRAY[' GmbH', ' & Sons', ' S.A.', ' Ltd'])[1 + customer %% 4],
    format('ITEM-%%s', i * 7 %% 5000),
    format('Hex bolt M%%s × %%s, zinc plated', 4 + i %% 12, 10 + i %% 90),
    current_date - (i * 13 %% 200)::int,
    CASE WHEN i %% 20 > 0 THEN current_date - 60 + (i * 17 %% 180)::int END,
    10 + i %% 90,
    i %% 10,
    10 + i %% 90 - i %% 10,
    1.25 + i %% 400,
    CASE WHEN i %% 50 > 0 THEN (10 + i %% 90 - i %% 10) * (1.25 + i %% 400) END,
    (ARRAY['EUR', 'EUR', 'EUR', 'USD', 'GBP'])[1 + customer %% 5],
    CASE WHEN i %% 40 > 0 THEN (ARRAY['MAIN', 'NORTH', 'SOUTH'])[1 + i %% 3] END,
    (ARRAY['open', 'open', 'partly shipped', 'on hold'])[1 + i %% 4],
    now()::timestamp - (i %% 5000) * interval '1 minute',
    CASE WHEN i %% 200 = 0 THEN %(job_log_id)s ELSE 1 END,
    CASE WHEN i %% 100 = 0 THEN %(job_log_id)s ELSE 1 END
FROM (SELECT i, i / 3 * 31 %% 800 AS customer FROM generate_series(0, %(lines)s - 1) AS i) AS line
