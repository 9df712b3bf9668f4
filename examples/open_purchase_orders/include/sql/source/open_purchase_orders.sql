-- Open purchase order lines of the ERP. The tables are those that the test of this example makes; fit them to yours.
-- One SELECT that yields the columns of the contract, in any order.
SET NOCOUNT ON;

SELECT
    RTRIM(p.OrderNumber) AS purchase_order_number,
    l.LineNumber AS line_number,
    s.SupplierCode AS supplier_code,
    s.SupplierName AS supplier_name,
    l.ItemCode AS item_code,
    l.ExpectedOn AS expected_on,
    l.QuantityOrdered - l.QuantityReceived AS quantity_open,
    CONVERT(decimal(19, 4), (l.QuantityOrdered - l.QuantityReceived) * l.UnitPrice) AS amount_open,
    p.CurrencyCode AS currency,
    l.UpdatedAt AS source_updated_at
FROM dbo.PurchaseOrderLines AS l
INNER JOIN dbo.PurchaseOrders AS p ON p.PurchaseOrderId = l.PurchaseOrderId
INNER JOIN dbo.Suppliers AS s ON s.SupplierId = p.SupplierId
WHERE l.QuantityReceived < l.QuantityOrdered;
