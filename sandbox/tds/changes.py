"""UPDATE and DELETE as T-SQL joins them, in the form PostgreSQL takes."""

from __future__ import annotations

from sqlglot import exp

_TARGET = "changed rows"


def target_joined_change(statement: exp.Expr) -> exp.Expr:
    """Return UPDATE or DELETE with its joins tied to the target by ctid; other statements as they are.

    `UPDATE l SET … FROM dbo.Lines AS l JOIN …` becomes `UPDATE dbo.Lines AS t SET … FROM dbo.Lines AS l JOIN …
    WHERE t.ctid = l.ctid`: PostgreSQL's own form cannot name the target among the joined tables.
    """
    if isinstance(statement, exp.Update):
        for assignment in statement.expressions:
            column = assignment.this
            if isinstance(column, exp.Column):
                assignment.set("this", exp.column(column.this))
        source = statement.args.get("from_")
        if source is not None:
            _tie(statement, source.this, statement.this)
    elif isinstance(statement, exp.Delete):
        named = statement.args.get("tables") or []
        if named and not statement.this:
            statement.set("this", named[0])
            statement.set("tables", None)
        elif named:
            joined = statement.this
            statement.set("tables", None)
            statement.set("using", [joined])
            _tie(statement, joined, named[0])
    return statement


def _tie(statement: exp.Expr, joined: exp.Expr, named: exp.Table) -> None:
    """Make the table that `named` means among the joined ones the target, under a name of its own."""
    tables = [joined, *(join.this for join in joined.args.get("joins") or [])]
    tables += [join.this for join in statement.args.get("joins") or []]
    match = next((table for table in tables if table.alias_or_name.lower() == named.alias_or_name.lower()), None)
    if not isinstance(match, exp.Table):
        return  # a target that is not joined: PostgreSQL's own form
    target = match.copy()
    target.set("joins", None)
    target.set("hints", None)
    target.set("alias", exp.TableAlias(this=exp.to_identifier(_TARGET, quoted=True)))
    statement.set("this", target)
    tie = exp.EQ(
        this=exp.column("ctid", table=exp.to_identifier(_TARGET, quoted=True)),
        expression=exp.column("ctid", table=exp.to_identifier(match.alias_or_name, quoted=True)),
    )
    where = statement.args.get("where")
    condition = tie if where is None else exp.and_(tie, where.this)
    statement.set("where", exp.Where(this=condition))
