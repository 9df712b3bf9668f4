"""Which SQL Server type stands for which PostgreSQL type, in both directions."""

from __future__ import annotations

from sqlglot import exp

from sandbox.tds.collations import TURKISH, Collation
from sandbox.tds.engine import make_error
from sandbox.tds.types import BINARIES, MAX, NARROW_TEXT, WIDE_TEXT, SqlType, UnknownTypeError

_FROM_NAME = {
    "bit": "smallint",
    "tinyint": "smallint",
    "smallint": "smallint",
    "int": "integer",
    "bigint": "bigint",
    "real": "real",
    "float": "double precision",
    "money": "numeric(19,4)",
    "smallmoney": "numeric(10,4)",
    "date": "date",
    "datetime": "timestamp(3)",
    "smalldatetime": "timestamp(0)",
    "uniqueidentifier": "uuid",
    "rowversion": "bytea",
    "image": "bytea",
    "text": "text",
    "ntext": "text",
}
_TIMES = {"time": "time", "datetime2": "timestamp", "datetimeoffset": "timestamptz"}
_POSTGRES_DIGITS = 6
# Types that translation.StandInTSQL tells apart, and what comes closest to xml.
_SPELLED_APART = {
    exp.DType.LONGTEXT: "ntext",
    exp.DType.TEXT: "text",
    exp.DType.FLOAT: "real",
    exp.DType.DOUBLE: "float",
    exp.DType.XML: "nvarchar(max)",
}
_LENGTH_WITHOUT_ONE = 30
_UNSIZED = {
    16: "bit",  # bool
    17: "varbinary(max)",  # bytea
    20: "bigint",
    21: "smallint",
    23: "int",
    26: "bigint",  # oid
    700: "real",
    701: "float",
    1082: "date",
    19: "nvarchar(128)",  # name
    2950: "uniqueidentifier",
}
_NUMERIC, _VARCHAR, _BPCHAR = 1700, 1043, 1042
_SCALED = {1083: "time", 1114: "datetime2", 1184: "datetimeoffset"}
_HEADER_OF_TYPMOD = 4
# An expression without a precision: SQL Server would compute one, 38 digits with ten decimals hold what it gives.
_UNSIZED_NUMERIC = "decimal(38, 10)"


def spell_for_postgres(sql_type: SqlType) -> str:
    """Return the PostgreSQL type, as DDL and CAST spell it, that holds values of this SQL Server type."""
    name = sql_type.name
    if sql_type.precision is not None:
        return f"numeric({sql_type.precision},{sql_type.scale})"
    if name in _TIMES:
        return f"{_TIMES[name]}({min(sql_type.scale or 0, _POSTGRES_DIGITS)})"
    if name in BINARIES:
        return "bytea"
    if name in NARROW_TEXT or name in WIDE_TEXT:
        if sql_type.length == MAX:
            return "text"
        return f"{'varchar' if 'var' in name else 'char'}({sql_type.length or 1})"
    return _FROM_NAME[name]


def read_data_type(data_type: exp.Expr, in_cast: bool, collation: Collation = TURKISH) -> SqlType:
    """Return the SQL Server type of a parsed T-SQL type; raises EngineError 243 for one the stand-in lacks.

    A character or binary type without a length is 30 long in CAST and CONVERT, 1 in a column definition.
    """
    spelling = _spell_data_type(data_type) if isinstance(data_type, exp.DataType) else data_type.sql("tsql")
    try:
        sql_type = SqlType.parse(spelling, collation)
    except UnknownTypeError as error:
        raise make_error(243, f"Type {spelling} is not a defined system type of the stand-in: {error}") from error
    if in_cast and sql_type.length == 1 and not data_type.expressions:
        return SqlType(sql_type.name, length=_LENGTH_WITHOUT_ONE, collation=collation)
    return sql_type


def _spell_data_type(data_type: exp.DataType) -> str:
    spelling = _SPELLED_APART.get(data_type.this)
    if spelling is None:
        return data_type.sql("tsql").replace("NUMERIC", "DECIMAL")
    digits = ", ".join(digit.name for digit in data_type.expressions)
    return f"{spelling}({digits})" if digits else spelling


def type_of_result(oid: int, modifier: int) -> SqlType:
    """Return the SQL Server type for a PostgreSQL result column (pg_type.oid, atttypmod)."""
    if oid in _UNSIZED:
        return SqlType.parse(_UNSIZED[oid])
    if oid == _NUMERIC:
        if modifier < _HEADER_OF_TYPMOD:
            return SqlType.parse(_UNSIZED_NUMERIC)
        packed = modifier - _HEADER_OF_TYPMOD
        return SqlType("decimal", precision=min(packed >> 16, 38), scale=packed & 0x7FF)
    if oid in _SCALED:
        return SqlType(_SCALED[oid], scale=7 if modifier < 0 else modifier)
    if oid in {_VARCHAR, _BPCHAR} and _HEADER_OF_TYPMOD < modifier <= 4000 + _HEADER_OF_TYPMOD:
        return SqlType("nvarchar" if oid == _VARCHAR else "nchar", length=modifier - _HEADER_OF_TYPMOD)
    return SqlType("nvarchar", length=MAX)
