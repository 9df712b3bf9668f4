"""The contract's rules as SQL: whether a landed text can become the column's type exactly, and why not.

PostgreSQL's own input functions accept more than a source may deliver ('today' is a date, '0x10' a number, and
'2026-01-02 13:45' a date without its time), so each rule narrows them down before it asks `pg_input_is_valid`.
"""

from __future__ import annotations

from typing import LiteralString

from psycopg import sql

from open_orders.contract import Column, Contract, Date, Integer, LocalTimestamp, Numeric, Text

# Characters that a decimal number can't have; keeps out NaN, Infinity, hexadecimal and digit separators.
_NOT_DECIMAL = "[^0-9eE+. -]"
_DATE = r"^\d{4}-?\d\d-?\d\d$"
_MIDNIGHT = r"^\d{4}-\d\d-\d\d[ T]00:00(:00(\.0*)?)?$"
_DATE_AND_TIME = r"^\d{4}-\d\d-\d\d[ T]\d\d:\d\d"
_OFFSET = r"(Z|[+-]\d\d:?\d\d)$"
# Hour 24 and second 60 would roll over into another day or minute.
_TIMESTAMP = r"^\d{4}-\d\d-\d\d([ T]([01]\d|2[0-3]):\d\d(:[0-5]\d(\.\d{1,6}0*)?)?)?$"
_SHOWN_CHARACTERS = 60
# How the reason of a repeated key begins and ends.
DUPLICATE = "duplicate key "
_NOT_THE_FIRST = ": an earlier row of this fetch has it and was imported"

# The form in which drivers deliver dates and times, told without the regular expressions of the rules: those take most
# of an import's time. What isn't in this form goes through the rules.
_USUAL_FORM: dict[type, LiteralString] = {
    Date: ("(translate({name}, '0123456789', '0000000000') = '0000-00-00' AND pg_input_is_valid({name}, 'date'))"),
    LocalTimestamp: (
        "(translate(left({name}, 19), '0123456789', '0000000000') = '0000-00-00 00:00:00'"
        " AND (length({name}) = 19 OR (length({name}) BETWEEN 21 AND 26"
        " AND translate(substr({name}, 20), '0123456789', '') = '.' AND substr({name}, 20, 1) = '.'))"
        " AND substr({name}, 12, 2) < '24' AND substr({name}, 18, 2) < '60' AND pg_input_is_valid({name}, 'timestamp'))"
    ),
}

Rule = tuple[sql.Composable, str]


def reject_reason(contract: Contract) -> sql.Composed:
    """Return an expression over a landed row: its offences, each naming column and value, or '' when it has none."""
    return sql.SQL("concat_ws('; ', unstorable, {})").format(
        sql.SQL(", ").join(column_reason(column) for column in contract.columns)
    )


def is_valid(contract: Contract) -> sql.Composed:
    """Return a condition over a landed row: that it has no offence, without putting one into words."""
    offences = (column_reason(column) for column in contract.columns if not column.nullable or _rules(column))
    return sql.SQL("(unstorable IS NULL AND {})").format(
        sql.SQL(" AND ").join(sql.SQL("{} IS NULL").format(offence) for offence in offences)
    )


def duplicate_reason(contract: Contract) -> sql.Composed:
    """Return an expression over a landed row: that its key was delivered before, with the key's values."""
    return sql.SQL("{} || {} || {}").format(sql.Literal(DUPLICATE), shown_key(contract), sql.Literal(_NOT_THE_FIRST))


def duplicated_key(reason: str) -> str:
    """Return the key in a reason that `duplicate_reason` made."""
    return reason.removeprefix(DUPLICATE).removesuffix(_NOT_THE_FIRST)


def shown_key(contract: Contract) -> sql.Composed:
    """Return an expression over a landed row: the names and values of its key."""
    return sql.SQL(" || ', ' || ").join(
        sql.SQL("{} || {}").format(sql.Literal(f"{column.name} "), _shown(delivered(column)))
        for column in contract.columns
        if column.key
    )


def delivered(column: Column) -> sql.Composable:
    """Return an expression over a landed row: a column's value as the text that `landing.to_landing` makes of it."""
    name = sql.Identifier(column.name)
    if column.landed_typed is None:
        return name
    texts: dict[type, LiteralString] = {
        Date: "to_char({}, 'YYYY-MM-DD')",
        LocalTimestamp: "replace(to_char({}, 'YYYY-MM-DD HH24:MI:SS.US'), '.000000', '')",
    }
    typed = sql.SQL(texts.get(type(column.type), "{}::text")).format(sql.Identifier(column.landed_typed))
    return sql.SQL("coalesce({}, {})").format(name, typed)


def cast(column: Column) -> sql.Composed:
    """Return an expression over a landed row: the value of a column that is valid, in the contract's type."""
    name = sql.Identifier(column.name)
    if column.landed_typed is None:
        return sql.SQL("{}").format(name)
    # An integer by way of numeric, because '10.0' is a whole number too.
    pattern = "{}::numeric::" if isinstance(column.type, Integer) else "{}::"
    from_text = sql.SQL(pattern + column.landed_type).format(name)  # constants of the contract
    value = sql.SQL("coalesce({}, {})").format(sql.Identifier(column.landed_typed), from_text)
    return value if column.landed_type == column.type.pg_type else sql.SQL("{}::" + column.type.pg_type).format(value)


def comparable(column: Column) -> sql.Composable:
    """Return an expression over any landed row: a column's value, by which valid ones can be told from each other."""
    if column.landed_typed is None:
        return sql.Identifier(column.name)
    return sql.SQL("CASE WHEN {} IS NULL THEN {} END").format(column_reason(column), cast(column))


def column_reason(column: Column) -> sql.Composed:
    """Return a CASE over the column's rules, the first broken one giving the reason; NULL for a value that is valid.

    What landed typed keeps the contract.
    """
    name = sql.Identifier(column.name)
    missing = sql.SQL("NULL") if column.nullable else sql.Literal(f"{column.name} is missing")
    branches = []
    if column.landed_typed is not None:
        branches.append(sql.SQL("WHEN {} IS NOT NULL THEN NULL").format(sql.Identifier(column.landed_typed)))
    branches.append(sql.SQL("WHEN {} IS NULL THEN {}").format(name, missing))
    if (usual := _USUAL_FORM.get(type(column.type))) is not None:
        branches.append(sql.SQL("WHEN {} THEN NULL").format(sql.SQL(usual).format(name=name)))
    for condition, offence in _rules(column):
        reason = sql.SQL("{} || {} || {}").format(sql.Literal(f"{column.name} "), _shown(name), sql.Literal(offence))
        branches.append(sql.SQL("WHEN {} THEN {}").format(condition, reason))
    return sql.SQL("CASE {} END").format(sql.SQL(" ").join(branches))


def _shown(name: sql.Composable) -> sql.Composed:
    """Return an expression for a value as a reason shows it: quoted, and cut where it is long."""
    return sql.SQL(
        "('''' || left({name}, {limit}) || CASE WHEN length({name}) > {limit} THEN '…' ELSE '' END || '''')"
    ).format(name=name, limit=sql.Literal(_SHOWN_CHARACTERS))


def _rules(column: Column) -> list[Rule]:
    """Return conditions under which the column's text breaks the contract, in the order in which to test them."""
    name = sql.Identifier(column.name)
    match column.type:
        case Text(max_length):
            return _text_rules(name, max_length, is_key=column.key)
        case Integer():
            return _integer_rules(name)
        case Numeric(precision, scale):
            return _numeric_rules(name, precision, scale)
        case Date():
            return _date_rules(name)
        case LocalTimestamp():
            return _timestamp_rules(name)


def _text_rules(name: sql.Identifier, max_length: int | None, *, is_key: bool) -> list[Rule]:
    rules: list[Rule] = []
    if is_key:
        # By its first character, as nearly every text shows that it isn't.
        blank = sql.SQL("ascii({name}) <= 32 AND btrim({name}, E' \\t\\r\\n') = ''").format(name=name)
        rules.append((blank, " is empty"))
    if max_length is not None:
        # By its bytes, which nobody has to count.
        too_long = sql.SQL("octet_length({name}) > {limit} AND length({name}) > {limit}").format(
            name=name, limit=sql.Literal(max_length)
        )
        rules.append((too_long, f" is longer than {max_length} characters"))
    return rules


def _not_a_number(name: sql.Identifier) -> sql.Composed:
    return sql.SQL("{} ~ {} OR NOT pg_input_is_valid({}, 'numeric')").format(name, sql.Literal(_NOT_DECIMAL), name)


def _integer_rules(name: sql.Identifier) -> list[Rule]:
    return [
        (_not_a_number(name), " is not a number"),
        (sql.SQL("{}::numeric <> trunc({}::numeric)").format(name, name), " is not a whole number"),
        (sql.SQL("{}::numeric NOT BETWEEN -2147483648 AND 2147483647").format(name), " does not fit integer"),
    ]


def _numeric_rules(name: sql.Identifier, precision: int, scale: int) -> list[Rule]:
    limit = sql.Literal(10 ** (precision - scale))
    inexact = sql.SQL("{}::numeric <> round({}::numeric, {})").format(name, name, sql.Literal(scale))
    return [
        (_not_a_number(name), " is not a number"),
        (sql.SQL("abs({}::numeric) >= {}").format(name, limit), f" does not fit numeric({precision},{scale})"),
        (inexact, f" has more than {scale} decimal places; round it in the source query"),
    ]


def _date_rules(name: sql.Identifier) -> list[Rule]:
    timed = sql.SQL("{} ~ {} AND {} !~ {}").format(name, sql.Literal(_DATE_AND_TIME), name, sql.Literal(_MIDNIGHT))
    date = sql.SQL("({} ~ {} OR {} ~ {})").format(name, sql.Literal(_DATE), name, sql.Literal(_MIDNIGHT))
    invalid = sql.SQL("NOT {} OR NOT pg_input_is_valid({}, 'date')").format(date, name)
    return [
        (timed, " has a time of day; convert it to date in the source query"),
        (invalid, " is not a date (YYYY-MM-DD)"),
    ]


def _timestamp_rules(name: sql.Identifier) -> list[Rule]:
    zoned = sql.SQL("{} ~ {} AND {} ~ {}").format(name, sql.Literal(_DATE_AND_TIME), name, sql.Literal(_OFFSET))
    invalid = sql.SQL("{} !~ {} OR NOT pg_input_is_valid({}, 'timestamp')").format(name, sql.Literal(_TIMESTAMP), name)
    return [
        (zoned, " has a UTC offset; convert it to the ERP's local datetime2 in the source query"),
        (invalid, " is not a date and time (YYYY-MM-DD hh:mm:ss, at most microseconds)"),
    ]
