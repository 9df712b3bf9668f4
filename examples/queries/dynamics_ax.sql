-- Open order lines of Microsoft Dynamics AX 2012 and of Dynamics 365 Finance and Operations on premises, of one company.
-- A line is open in status 1 (backorder, shown as "Open order"); REMAINSALESPHYSICAL is what is still to deliver.
-- Other ERPs of this kind differ in names, seldom in the rules below.
SET NOCOUNT ON;

DECLARE @company nvarchar(4) = N'usmf';
-- Such databases keep times in UTC, the contract wants the ERP's local ones.
DECLARE @minutes_from_utc int = DATEDIFF(minute, GETUTCDATE(), GETDATE());

SELECT
    l.SALESID AS order_number,
    -- LINENUM may be 1.5 for a line that was put between two others; this one counts, and never changes.
    l.LINECREATIONSEQUENCENUMBER AS line_number,
    t.CUSTACCOUNT AS customer_code,
    p.NAME AS customer_name,
    -- What is empty is '' there, and 1900-01-01 for a day.
    NULLIF(l.ITEMID, N'') AS item_code,
    NULLIF(l.NAME, N'') AS item_description,
    CONVERT(date, DATEADD(minute, @minutes_from_utc, t.CREATEDDATETIME)) AS order_date,
    CONVERT(date, NULLIF(l.SHIPPINGDATEREQUESTED, '1900-01-01')) AS due_date,
    -- numeric(32,16): to the four decimal places that the contract has.
    CONVERT(decimal(18, 4), l.SALESQTY) AS quantity_ordered,
    CONVERT(decimal(18, 4), l.SALESQTY - l.REMAINSALESPHYSICAL) AS quantity_shipped,
    CONVERT(decimal(18, 4), l.REMAINSALESPHYSICAL) AS quantity_open,
    CONVERT(decimal(19, 4), l.SALESPRICE) AS unit_price,
    -- LINEAMOUNT is of the whole line, after discounts.
    CONVERT(decimal(19, 4), l.LINEAMOUNT * l.REMAINSALESPHYSICAL / NULLIF(l.SALESQTY, 0)) AS amount_open,
    t.CURRENCYCODE AS currency,
    NULLIF(d.INVENTLOCATIONID, N'') AS warehouse,
    CASE WHEN l.REMAINSALESPHYSICAL < l.SALESQTY THEN N'Partially delivered' ELSE N'Open order' END AS order_status,
    DATEADD(
        minute,
        @minutes_from_utc,
        CASE WHEN l.MODIFIEDDATETIME > t.MODIFIEDDATETIME THEN l.MODIFIEDDATETIME ELSE t.MODIFIEDDATETIME END
    ) AS source_updated_at
FROM SALESLINE AS l
INNER JOIN SALESTABLE AS t ON t.DATAAREAID = l.DATAAREAID AND t.PARTITION = l.PARTITION AND t.SALESID = l.SALESID
INNER JOIN CUSTTABLE AS c
    ON c.DATAAREAID = t.DATAAREAID AND c.PARTITION = t.PARTITION AND c.ACCOUNTNUM = t.CUSTACCOUNT
LEFT JOIN DIRPARTYTABLE AS p ON p.RECID = c.PARTY
LEFT JOIN INVENTDIM AS d
    ON d.DATAAREAID = l.DATAAREAID AND d.PARTITION = l.PARTITION AND d.INVENTDIMID = l.INVENTDIMID
WHERE l.DATAAREAID = @company
    AND l.SALESSTATUS = 1
    AND t.SALESTYPE = 3
    AND l.REMAINSALESPHYSICAL > 0;
