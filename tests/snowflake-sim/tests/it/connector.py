"""Snowflake's own connector against the front: python connector.py PORT KEY FILE."""

import sys

import snowflake.connector
from cryptography.hazmat.primitives import serialization

port, key_file, parquet = sys.argv[1:]
# From 5 on its core uploads by HTTPS to Amazon's own host names alone.
uploads = int(snowflake.connector.__version__.split(".")[0]) < 5


def connect(key_file, **more):
    with open(key_file, "rb") as file:
        key = serialization.load_pem_private_key(file.read(), password=None)
    der = key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    arguments = {"account": "myorg-acme", "user": "loader", "database": "ZENDESK", "schema": "MART", "warehouse": "LOAD"}
    return snowflake.connector.connect(
        private_key=der, host="127.0.0.1", port=int(port), protocol="http", login_timeout=10, **(arguments | more)
    )


connection = connect(key_file)
cursor = connection.cursor()


def rows(sql, *binds):
    return cursor.execute(sql, binds or None).fetchall()


snowflake.connector.paramstyle = "qmark"
rows("CREATE TABLE T (ID NUMBER(38,0), NOTE VARCHAR, AT TIMESTAMP_NTZ(6))".replace(" AT ", ' "AT" '))
rows("INSERT INTO T SELECT 1, 'a', '2026-01-02 03:04:05.000006'::TIMESTAMP_NTZ(6)")
assert rows('SELECT ID, NOTE, "AT" FROM T')[0][:2] == (1, "a")

# The front's own: renewal, a request that comes twice, "not yet", busy.
assert rows("SELECT 2 /* expired */") == [(2,)]
rows("INSERT INTO T (ID) SELECT 3 /* lost */")
assert rows("SELECT COUNT(*) FROM T WHERE ID = 3") == [(1,)], "a repeated request runs once"
assert rows("SELECT 4 /* slow */") == [(4,)]
assert rows("SELECT 5 /* status */") == [(5,)]
try:
    rows("SELECT 6 /* busy */")
    raise SystemExit("a refusal was not seen")
except snowflake.connector.errors.ProgrammingError as error:
    assert error.errno == 625, error

# A file through the stage, and a transaction that is taken back.
if uploads:
    rows("CREATE STAGE S")
    put = rows(f"PUT 'file://{parquet}' @S/folder/ AUTO_COMPRESS=FALSE OVERWRITE=TRUE")
    assert put[0][6] == "UPLOADED", put
    rows("CREATE TABLE F (C0 NUMBER(38,0))")
    rows("BEGIN")
    copied = rows("COPY INTO F FROM (SELECT $1:C0::NUMBER(38,0) FROM @S/folder/) FILE_FORMAT=(TYPE=PARQUET)")
    assert copied[0][3] == 3, copied
    rows("ROLLBACK")
    assert rows("SELECT COUNT(*) FROM F") == [(0,)]

# A larger result, which may come in parts.
assert len(rows("SELECT VALUE::NUMBER(38,0) N FROM TABLE(FLATTEN(PARSE_JSON('[" + ",".join("1" * 500) + "]')))")) == 500
connection.close()

for wrong in [{"user": "nobody"}, {"account": "other"}]:
    try:
        connect(key_file, **wrong)
        raise SystemExit(f"{wrong} was taken")
    except snowflake.connector.errors.DatabaseError as error:
        print(f"{wrong}: {error}")
print("connector", snowflake.connector.__version__, "is served")
