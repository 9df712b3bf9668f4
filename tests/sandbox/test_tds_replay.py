from __future__ import annotations

from sandbox.tds.encoders import RowEncoder
from sandbox.tds.engine import EncodedRows, Replay
from sandbox.tds.scripted_engine import ScriptedEngine, make_column
from tests.sandbox.tds_client import Connect

COLUMNS = [make_column("Number", "int"), make_column("Name", "nvarchar(20)")]
ROWS = [[(1, "bir"), (2, None)], [(3, "üç")]]


def test_encoded_rows_arrive_and_are_counted(engine: ScriptedEngine, connect: Connect) -> None:
    encoder = RowEncoder([(column.type, column.nullable) for column in COLUMNS])
    blocks = [EncodedRows(b"".join(encoder.encode(rows)), len(rows)) for rows in ROWS]
    engine.script("SELECT * FROM dbo.Things", [Replay(COLUMNS, blocks)])
    cursor = connect().cursor()
    for _ in range(2):
        cursor.execute("SET NOCOUNT ON; SELECT * FROM dbo.Things")
        assert [column[0] for column in cursor.description] == ["Number", "Name"]
        assert cursor.fetchall() == [*ROWS[0], *ROWS[1]]
        cursor.execute("SELECT @@ROWCOUNT")
        assert cursor.fetchone() == (3,)
