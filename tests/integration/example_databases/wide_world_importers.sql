-- The part of Wide World Importers that the example reads.
CREATE TABLE Sales.Orders (
    OrderID int NOT NULL, CustomerID int NOT NULL, BackorderOrderID int NULL, OrderDate date NOT NULL,
    ExpectedDeliveryDate date NOT NULL, IsUndersupplyBackordered bit NOT NULL, PickingCompletedWhen datetime2(7) NULL,
    LastEditedWhen datetime2(7) NOT NULL
);
CREATE TABLE Sales.OrderLines (
    OrderLineID int NOT NULL, OrderID int NOT NULL, StockItemID int NOT NULL, Description nvarchar(100) NOT NULL,
    Quantity int NOT NULL, UnitPrice decimal(18,2) NULL, PickedQuantity int NOT NULL,
    PickingCompletedWhen datetime2(7) NULL, LastEditedWhen datetime2(7) NOT NULL
);
CREATE TABLE Sales.Customers (CustomerID int NOT NULL, CustomerName nvarchar(100) NOT NULL);

INSERT INTO Sales.Orders VALUES
    (73550, 105, NULL, '2016-05-30', '2016-05-31', 1, NULL, '2016-05-30 12:00:00.1234560'),
    (73551, 41, 73595, '2016-05-30', '2016-05-31', 0, '2016-05-30 11:00:00', '2016-05-30 12:00:00');
INSERT INTO Sales.OrderLines VALUES
    (231300, 73550, 98, N'"The Gu" red shirt XML tag t-shirt (Black) 4XL', 84, 18.00, 0, NULL, '2016-05-29 09:00:00'),
    (231301, 73550, 165, N'10 mm Anti static bubble wrap (Blue) 50m', 30, NULL, 10, NULL, '2016-05-30 12:30:00'),
    (231302, 73551, 98, N'"The Gu" red shirt XML tag t-shirt (Black) 4XL', 24, 18.00, 24, '2016-05-30 11:00:00',
        '2016-05-30 11:00:00'),
    (231303, 73551, 165, N'10 mm Anti static bubble wrap (Blue) 50m', 5, 48.00, 0, NULL, '2016-05-30 11:00:00');
INSERT INTO Sales.Customers VALUES (105, N'Wingtip Toys (Bow Mar, CO)'), (41, N'Tailspin Toys (Jemison, AL)');
