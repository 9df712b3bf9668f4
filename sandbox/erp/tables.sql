-- The sample ERP's tables, for SQL Server 2017 and later. One batch each, as sqlcmd separates them.
CREATE TABLE dbo.Customers (
    CustomerId int NOT NULL PRIMARY KEY,
    CustomerCode nvarchar(20) NOT NULL,
    CustomerName nvarchar(120) NOT NULL
);

GO

CREATE TABLE dbo.Items (
    ItemId int NOT NULL PRIMARY KEY,
    ItemCode varchar(30) NOT NULL,
    Description nvarchar(200) NULL
);

GO

CREATE TABLE dbo.Warehouses (
    WarehouseId smallint NOT NULL PRIMARY KEY,
    WarehouseCode varchar(10) NOT NULL
);

GO

CREATE TABLE dbo.SalesOrders (
    SalesOrderId int NOT NULL PRIMARY KEY,
    OrderNumber varchar(20) NOT NULL,
    CustomerId int NOT NULL,
    OrderDate date NOT NULL,
    CurrencyCode char(3) NOT NULL,
    UpdatedAt datetime2(3) NOT NULL
);

GO

CREATE TABLE dbo.SalesOrderLines (
    SalesOrderId int NOT NULL,
    LineNumber int NOT NULL,
    ItemId int NOT NULL,
    WarehouseId smallint NOT NULL,
    DueDate date NULL,
    QuantityOrdered decimal(18,4) NOT NULL,
    QuantityShipped decimal(18,4) NOT NULL,
    UnitPrice money NOT NULL,
    Status nvarchar(20) NOT NULL,
    UpdatedAt datetime2(3) NOT NULL,
    PRIMARY KEY (SalesOrderId, LineNumber)
);
