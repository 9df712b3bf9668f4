-- Open order lines of the ERP. Edit this to fit yours: any T-SQL is good whose last statement is one SELECT that yields
-- these columns, in any order (see docs/fit.md for their types):
--   order_number, line_number, customer_code, customer_name, item_code, item_description, order_date, due_date,
--   quantity_ordered, quantity_shipped, quantity_open, unit_price, amount_open, currency, warehouse, order_status,
--   source_updated_at
-- A value is imported exactly or its row is rejected, so round, trim and convert here. This one fits the sample ERP of
-- the quickstart.
SET NOCOUNT ON;

DECLARE @closed nvarchar(20) = N'Closed', @cancelled nvarchar(20) = N'Cancelled';

WITH open_lines AS (
    SELECT
        SalesOrderId, LineNumber, ItemId, WarehouseId, DueDate, QuantityOrdered, QuantityShipped, UnitPrice, Status,
        UpdatedAt,
        QuantityOrdered - QuantityShipped AS QuantityOpen
    FROM dbo.SalesOrderLines
    WHERE Status NOT IN (@closed, @cancelled)
        AND QuantityShipped < QuantityOrdered
)

SELECT
    RTRIM(o.OrderNumber) AS order_number,
    l.LineNumber AS line_number,
    c.CustomerCode AS customer_code,
    c.CustomerName AS customer_name,
    i.ItemCode AS item_code,
    i.Description AS item_description,
    o.OrderDate AS order_date,
    l.DueDate AS due_date,
    l.QuantityOrdered AS quantity_ordered,
    l.QuantityShipped AS quantity_shipped,
    l.QuantityOpen AS quantity_open,
    l.UnitPrice AS unit_price,
    CONVERT(decimal(19, 4), l.QuantityOpen * l.UnitPrice) AS amount_open,
    o.CurrencyCode AS currency,
    w.WarehouseCode AS warehouse,
    CASE WHEN l.QuantityShipped > 0 THEN N'Partially shipped' ELSE l.Status END AS order_status,
    CASE WHEN l.UpdatedAt > o.UpdatedAt THEN l.UpdatedAt ELSE o.UpdatedAt END AS source_updated_at
FROM open_lines AS l
INNER JOIN dbo.SalesOrders AS o ON o.SalesOrderId = l.SalesOrderId
INNER JOIN dbo.Customers AS c ON c.CustomerId = o.CustomerId
INNER JOIN dbo.Items AS i ON i.ItemId = l.ItemId
INNER JOIN dbo.Warehouses AS w ON w.WarehouseId = l.WarehouseId;
