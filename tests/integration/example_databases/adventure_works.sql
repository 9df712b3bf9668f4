-- The part of AdventureWorks that the example reads; computed columns are plain ones with the value that they would have.
CREATE TABLE Sales.SalesOrderHeader (
    SalesOrderID int NOT NULL, SalesOrderNumber nvarchar(25) NOT NULL, OrderDate datetime NOT NULL,
    DueDate datetime NOT NULL, ShipDate datetime NULL, Status tinyint NOT NULL, CustomerID int NOT NULL,
    CurrencyRateID int NULL, ModifiedDate datetime NOT NULL
);
CREATE TABLE Sales.SalesOrderDetail (
    SalesOrderID int NOT NULL, SalesOrderDetailID int NOT NULL, OrderQty smallint NOT NULL, ProductID int NOT NULL,
    UnitPrice money NOT NULL, UnitPriceDiscount money NOT NULL, LineTotal numeric(38,6) NOT NULL,
    ModifiedDate datetime NOT NULL
);
CREATE TABLE Sales.Customer (
    CustomerID int NOT NULL, PersonID int NULL, StoreID int NULL, AccountNumber varchar(10) NOT NULL
);
CREATE TABLE Sales.Store (BusinessEntityID int NOT NULL, Name nvarchar(50) NOT NULL);
CREATE TABLE Person.Person (
    BusinessEntityID int NOT NULL, FirstName nvarchar(50) NOT NULL, LastName nvarchar(50) NOT NULL
);
CREATE TABLE Production.Product (ProductID int NOT NULL, Name nvarchar(50) NOT NULL, ProductNumber nvarchar(25) NOT NULL);

INSERT INTO Sales.SalesOrderHeader VALUES
    (75084, N'SO75084', '2014-06-30', '2014-07-12', NULL, 1, 11078, NULL, '2014-07-07'),
    (75085, N'SO75085', '2014-06-30', '2014-07-12', NULL, 3, 29825, 4, '2014-07-01'),
    (75086, N'SO75086', '2014-06-30', '2014-07-12', '2014-07-07', 5, 11078, NULL, '2014-07-07'),
    (75087, N'SO75087', '2014-06-30', '2014-07-12', NULL, 6, 11078, NULL, '2014-07-07');
INSERT INTO Sales.SalesOrderDetail VALUES
    (75084, 121253, 1, 879, 159.0000, 0.0000, 159.000000, '2014-06-30'),
    (75085, 121254, 12, 712, 8.9900, 0.0200, 105.722400, '2014-07-02 08:30:00'),
    (75085, 121255, 3, 879, 1.3333, 0.1500, 3.399915, '2014-06-30'),
    (75086, 121256, 1, 879, 159.0000, 0.0000, 159.000000, '2014-06-30'),
    (75087, 121257, 1, 879, 159.0000, 0.0000, 159.000000, '2014-06-30');
INSERT INTO Sales.Customer VALUES (11078, 7321, NULL, 'AW00011078'), (29825, 1045, 1046, 'AW00029825');
INSERT INTO Sales.Store VALUES (1046, N'Better Bike Shop');
INSERT INTO Person.Person VALUES (7321, N'Gina', N'Martín'), (1045, N'James', N'Hendergart');
INSERT INTO Production.Product VALUES (879, N'All-Purpose Bike Stand', N'ST-1401'), (712, N'AWC Logo Cap', N'CA-1098');
