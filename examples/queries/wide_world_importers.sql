-- Open order lines of Wide World Importers, Microsoft's sample database of a wholesaler (SQL Server 2016 and later).
-- A line is open until it is picked; what can't be picked moves to a backorder, an order of its own.
SET NOCOUNT ON;

SELECT
    o.OrderID AS order_number,
    l.OrderLineID AS line_number,
    o.CustomerID AS customer_code,
    c.CustomerName AS customer_name,
    l.StockItemID AS item_code,
    l.Description AS item_description,
    o.OrderDate AS order_date,
    o.ExpectedDeliveryDate AS due_date,
    l.Quantity AS quantity_ordered,
    l.PickedQuantity AS quantity_shipped,
    l.Quantity - l.PickedQuantity AS quantity_open,
    l.UnitPrice AS unit_price,
    CONVERT(decimal(19, 4), (l.Quantity - l.PickedQuantity) * l.UnitPrice) AS amount_open,
    'USD' AS currency,
    CAST(NULL AS varchar(10)) AS warehouse,
    CASE
        WHEN l.PickedQuantity > 0 THEN 'Partially picked'
        WHEN o.IsUndersupplyBackordered = 1 THEN 'Open'
        ELSE 'Open, ships complete'
    END AS order_status,
    -- datetime2(7) has a digit more than a timestamp of PostgreSQL.
    CONVERT(
        datetime2(6),
        CASE WHEN l.LastEditedWhen > o.LastEditedWhen THEN l.LastEditedWhen ELSE o.LastEditedWhen END
    ) AS source_updated_at
FROM Sales.OrderLines AS l
INNER JOIN Sales.Orders AS o ON o.OrderID = l.OrderID
INNER JOIN Sales.Customers AS c ON c.CustomerID = o.CustomerID
WHERE l.PickingCompletedWhen IS NULL
    AND l.PickedQuantity < l.Quantity;
