"""When a publish is refused: what landed doesn't add up, or is so little that it looks like a mistake of the source."""

from __future__ import annotations

from open_orders.contract import Contract
from open_orders.errors import LandingLostError, ReconciliationError, SuspiciousSourceError
from open_orders.settings import Settings, variable
from open_orders.target import Batch, Landed, Published, Reconciliation


def check_landing(counts: Landed, contract: Contract) -> None:
    """Refuse when landing doesn't hold what this run fetched."""
    if counts.fetched is None:
        raise LandingLostError("Nothing was fetched in this run: clear it from the task fetch on, or trigger a new one")
    if counts.landed != counts.fetched or counts.batches == 0:
        raise LandingLostError(
            f"This run fetched {contract.count(counts.fetched)} but landing holds {counts.landed:,} of them: the "
            "orders database restarted, or a later run took its place. The next run fetches again"
        )


def check_batch(batch: Batch, imported: int, rejected: int) -> None:
    """Refuse when landing doesn't hold all of a batch; raised in the transaction that imported it."""
    if imported + rejected != batch.landed:
        raise LandingLostError(
            f"Landing holds {imported + rejected:,} rows of batch {batch.batch_no}, of which {batch.landed:,} landed: "
            "the orders database restarted, or a later run took its place. The next run fetches again"
        )


def check_sums(counts: Reconciliation, contract: Contract) -> None:
    """Refuse when a landed row is neither imported nor rejected."""
    if counts.unfinished or counts.imported + counts.rejected != counts.landed or counts.staged != counts.imported:
        raise ReconciliationError(
            f"The numbers do not add up, nothing was published: {contract.count(counts.landed)} landed, "
            f"{counts.imported:,} imported, {counts.rejected:,} rejected, {counts.staged:,} in staging, "
            f"{counts.unfinished:,} batches unfinished. The next run starts afresh"
        )


def check_published(done: Published, counts: Reconciliation, contract: Contract) -> None:
    """Refuse a publish after which there are not as many rows as in staging; raised in its transaction."""
    if done.total != counts.staged:
        raise ReconciliationError(
            f"The numbers do not add up, nothing was published: {contract.count(counts.staged)} in staging, but "
            f"{done.total:,} would be published. The next run starts afresh"
        )


def check_source(counts: Reconciliation, contract: Contract, parameters: Settings) -> None:
    """Refuse an empty source, unless the run allows one, and one of which no row is valid."""
    if counts.fetched == 0 and not parameters.allow_empty:
        raise SuspiciousSourceError(
            f"The source returned no {contract.noun}s; {_kept(counts, contract)}. If there are none, trigger a run "
            f"with allow_empty; if that is usual, set {variable('allow_empty', contract.table)}"
        )
    if counts.fetched != 0 and counts.imported == 0:
        raise SuspiciousSourceError(
            f"Every row was rejected ({contract.count(counts.rejected)}); {_kept(counts, contract)}. See the rejected "
            "orders for the reasons"
        )


def check_drop(done: Published, counts: Reconciliation, contract: Contract, parameters: Settings) -> None:
    """Refuse a publish that lets too much disappear; raised in its transaction, which takes it back."""
    # An empty source has a parameter of its own.
    if counts.fetched == 0 or not drops_more(done, counts, parameters.max_drop_share):
        return
    raise SuspiciousSourceError(
        f"{contract.count(done.deleted)} of {counts.published:,} would disappear, {drop_in_words(done, counts)} (limit "
        f"{percent(parameters.max_drop_share)}): the source returned {contract.count(counts.landed)}, of which "
        f"{counts.rejected:,} were rejected; {_kept(counts, contract)}. If that is right, trigger a run with a higher "
        "max_drop_share"
    )


def drops_more(done: Published, counts: Reconciliation, share: float) -> bool:
    """Return whether more than a share of what readers saw disappears; what is rejected now counts as disappeared."""
    # Not share * published: 0.29 * 100 is less than 29.
    return counts.published > 0 and done.deleted / counts.published > share


def drop_in_words(done: Published, counts: Reconciliation) -> str:
    """Return the share that disappears."""
    return percent(done.deleted / counts.published)


def percent(share: float) -> str:
    """Return a share in words: `50%`, `50.4%`."""
    return f"{100 * share:.3g}%"


def _kept(counts: Reconciliation, contract: Contract) -> str:
    return f"{contract.table} keeps its {contract.count(counts.published)}"
