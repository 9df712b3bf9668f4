-- Open order lines of AdventureWorks (2012 and later), Microsoft's sample database of a bicycle maker.
-- An order is open in status 1 in process, 2 approved, 3 backordered; AdventureWorks ships whole orders. As delivered all
-- of its orders are shipped (status 5), so there is nothing to see until some are set back:
--   UPDATE Sales.SalesOrderHeader SET Status = 1 WHERE OrderDate >= '2014-06-01'
SET NOCOUNT ON;

SELECT
    h.SalesOrderNumber AS order_number,
    -- There is no line number. The detail's own id keeps its value when another line is deleted; ROW_NUMBER would not.
    d.SalesOrderDetailID AS line_number,
    c.AccountNumber AS customer_code,
    -- A customer is a shop, a person, or a person of a shop.
    COALESCE(s.Name, p.FirstName + N' ' + p.LastName) AS customer_name,
    pr.ProductNumber AS item_code,
    pr.Name AS item_description,
    -- datetime at midnight would do as well; a time of day would reject the row.
    CONVERT(date, h.OrderDate) AS order_date,
    CONVERT(date, h.DueDate) AS due_date,
    d.OrderQty AS quantity_ordered,
    0 AS quantity_shipped,
    d.OrderQty AS quantity_open,
    d.UnitPrice AS unit_price,
    -- LineTotal is numeric(38,6), after the discount: rounded here, since six decimal places would be rejected.
    CONVERT(decimal(19, 4), d.LineTotal) AS amount_open,
    -- Prices are in US dollars; CurrencyRateID only says how the customer paid.
    'USD' AS currency,
    CAST(NULL AS varchar(10)) AS warehouse,
    CASE h.Status WHEN 1 THEN 'In process' WHEN 2 THEN 'Approved' WHEN 3 THEN 'Backordered' END AS order_status,
    CASE WHEN d.ModifiedDate > h.ModifiedDate THEN d.ModifiedDate ELSE h.ModifiedDate END AS source_updated_at
FROM Sales.SalesOrderHeader AS h
INNER JOIN Sales.SalesOrderDetail AS d ON d.SalesOrderID = h.SalesOrderID
INNER JOIN Sales.Customer AS c ON c.CustomerID = h.CustomerID
INNER JOIN Production.Product AS pr ON pr.ProductID = d.ProductID
LEFT JOIN Sales.Store AS s ON s.BusinessEntityID = c.StoreID
LEFT JOIN Person.Person AS p ON p.BusinessEntityID = c.PersonID
WHERE h.Status IN (1, 2, 3);
