"""Runs statements on a Snowflake account: `python statements.py PORT < statements.json`, as a list of texts.

Prints for each its rows, or what was wrong, as a list of JSON objects.
"""

import json
import logging
import sys
import warnings

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

import snowflake.connector  # noqa: E402

connection = snowflake.connector.connect(
    account="fakesnow", user="fake", password="snow", host="127.0.0.1", port=int(sys.argv[1]), protocol="http",
    session_parameters={"CLIENT_OUT_OF_BAND_TELEMETRY_ENABLED": False},
)
cursor = connection.cursor()
said = []
for statement in json.load(sys.stdin):
    try:
        said.append({"rows": [[None if cell is None else str(cell) for cell in row] for row in cursor.execute(statement).fetchall()]})
    except Exception as error:
        said.append({"error": f"{type(error).__name__}: {error}"})
json.dump(said, sys.stdout)
