"""The sample ERP's tables, as T-SQL for SQL Server 2017 and later."""

TABLES = (
    """CREATE TABLE dbo.Customers (
    CustomerId int NOT NULL PRIMARY KEY,
    CustomerCode nvarchar(20) NOT NULL,
    CustomerName nvarchar(120) NOT NULL
)""",
    """CREATE TABLE dbo.Items (
    ItemId int NOT NULL PRIMARY KEY,
    ItemCode varchar(30) NOT NULL,
    Description nvarchar(200) NULL
)""",
    """CREATE TABLE dbo.Warehouses (
    WarehouseId smallint NOT NULL PRIMARY KEY,
    WarehouseCode varchar(10) NOT NULL
)""",
    """CREATE TABLE dbo.SalesOrders (
    SalesOrderId int NOT NULL PRIMARY KEY,
    OrderNumber varchar(20) NOT NULL,
    CustomerId int NOT NULL,
    OrderDate date NOT NULL,
    CurrencyCode char(3) NOT NULL,
    UpdatedAt datetime2(3) NOT NULL
)""",
    """CREATE TABLE dbo.SalesOrderLines (
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
)""",
)

# The rule by which the source query calls a line open.
OPEN_LINE = "Status NOT IN (N'Closed', N'Cancelled') AND QuantityShipped < QuantityOrdered"
