"""fakesnow with DuckDB's own MERGE, which works within a transaction; its rewriting of MERGE does not."""

import sys

import fakesnow.cursor
import fakesnow.server
import fakesnow.transforms
import uvicorn
from sqlglot import exp

COUNTED = "SELECT {} AS 'number of rows inserted', 0 AS 'number of rows updated'"
plain = fakesnow.cursor.FakeSnowflakeCursor._execute


def execute(self, transformed, params=None):
    plain(self, transformed, params)
    if isinstance(transformed, exp.Merge):
        count = self._arrow_table.column(0)[0].as_py()
        self._last_sql = COUNTED.format(count)
        self._last_params = None
        self._duck_conn.execute(self._last_sql)
        self._arrow_table = self._duck_conn.to_arrow_table()
        self._rowcount = count


fakesnow.transforms.merge = lambda statement: [statement]
fakesnow.cursor.FakeSnowflakeCursor._execute = execute
uvicorn.run(fakesnow.server.app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
