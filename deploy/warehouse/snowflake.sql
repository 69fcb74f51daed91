-- Snowflake for Zenfloe: roles, users, warehouse, schemas, stage, grants. Written by `zenfloe init --destination snowflake`.
--
-- Run it in a worksheet, or with `snow sql --filename setup.sql`, as a user who has the roles USERADMIN, SECURITYADMIN
-- and SYSADMIN; it may be run again.
--
-- The loader signs in with a key pair:
--     openssl genrsa 3072 | openssl pkcs8 -topk8 -v2 aes256 -out loader.p8
--     openssl pkey -in loader.p8 -pubout -out loader.pub
-- `zenfloe init --destination snowflake --public-key loader.pub` puts the public half in its place below.

-- Who is who. People get `_READ` (tokens masked, where masking is set up) or `_TOKENS`.
USE ROLE USERADMIN;
CREATE ROLE IF NOT EXISTS ${PREFIX}_LOAD COMMENT = 'Zenfloe''s loader: owns the tables of ${MART} and nothing else.';
CREATE ROLE IF NOT EXISTS ${PREFIX}_TRANSFORM COMMENT = 'dbt: reads ${MART}, owns the views.';
CREATE ROLE IF NOT EXISTS ${PREFIX}_READ COMMENT = 'Reads the views.';
CREATE ROLE IF NOT EXISTS ${PREFIX}_TOKENS COMMENT = 'Reads the views and the tables below them, columns that hold tokens included.';
GRANT ROLE ${PREFIX}_READ TO ROLE ${PREFIX}_TOKENS;
GRANT ROLE ${PREFIX}_LOAD TO ROLE SYSADMIN;
GRANT ROLE ${PREFIX}_TRANSFORM TO ROLE SYSADMIN;
GRANT ROLE ${PREFIX}_TOKENS TO ROLE SYSADMIN;

-- Services have no password, and sign in from nowhere else once a network policy says so:
--     ALTER USER ${PREFIX}_LOADER SET NETWORK_POLICY = <your policy>;
CREATE USER IF NOT EXISTS ${PREFIX}_LOADER TYPE = SERVICE DEFAULT_ROLE = ${PREFIX}_LOAD DEFAULT_WAREHOUSE = ${WAREHOUSE} DEFAULT_NAMESPACE = ${DATABASE}.${MART} COMMENT = 'Zenfloe''s loader.';
CREATE USER IF NOT EXISTS ${PREFIX}_DBT TYPE = SERVICE DEFAULT_ROLE = ${PREFIX}_TRANSFORM DEFAULT_WAREHOUSE = ${WAREHOUSE} DEFAULT_NAMESPACE = ${DATABASE}.${VIEWS} COMMENT = 'dbt over Zenfloe''s tables.';
GRANT ROLE ${PREFIX}_LOAD TO USER ${PREFIX}_LOADER;
GRANT ROLE ${PREFIX}_TRANSFORM TO USER ${PREFIX}_DBT;
${set_public_key}

-- One small warehouse; the loader flushes all tables together, so that it wakes once and sleeps again.
USE ROLE SYSADMIN;
CREATE WAREHOUSE IF NOT EXISTS ${WAREHOUSE} WAREHOUSE_SIZE = 'XSMALL' AUTO_SUSPEND = 60 AUTO_RESUME = TRUE INITIALLY_SUSPENDED = TRUE STATEMENT_TIMEOUT_IN_SECONDS = 3600 COMMENT = 'Zenfloe.';
-- What it may cost a month, as ACCOUNTADMIN:
--     CREATE RESOURCE MONITOR ${PREFIX}_COST WITH CREDIT_QUOTA = 50 TRIGGERS ON 80 PERCENT DO NOTIFY ON 100 PERCENT DO SUSPEND;
--     ALTER WAREHOUSE ${WAREHOUSE} SET RESOURCE_MONITOR = ${PREFIX}_COST;

-- In schemas with managed access the owner of a table does not decide who reads it; the owner of the schema does.
CREATE DATABASE IF NOT EXISTS ${DATABASE};
CREATE SCHEMA IF NOT EXISTS ${DATABASE}.${MART} WITH MANAGED ACCESS COMMENT = 'Zendesk''s records as they are, written by Zenfloe.';
CREATE SCHEMA IF NOT EXISTS ${DATABASE}.${VIEWS} WITH MANAGED ACCESS COMMENT = 'Views over ${MART}, made by dbt.';
CREATE SCHEMA IF NOT EXISTS ${DATABASE}.${FIVETRAN} WITH MANAGED ACCESS COMMENT = 'Views over ${MART} in the shape of Fivetran''s tables, made by dbt when asked.';
-- Files pass through it on their way into a table; the stage encrypts them.
CREATE STAGE IF NOT EXISTS ${DATABASE}.${MART}.${STAGE} ENCRYPTION = (TYPE = 'SNOWFLAKE_SSE') COMMENT = 'Batches of Zenfloe''s loader.';

USE ROLE SECURITYADMIN;
GRANT USAGE ON WAREHOUSE ${WAREHOUSE} TO ROLE ${PREFIX}_LOAD;
GRANT USAGE ON WAREHOUSE ${WAREHOUSE} TO ROLE ${PREFIX}_TRANSFORM;
GRANT USAGE ON WAREHOUSE ${WAREHOUSE} TO ROLE ${PREFIX}_READ;
GRANT USAGE ON DATABASE ${DATABASE} TO ROLE ${PREFIX}_LOAD;
GRANT USAGE ON DATABASE ${DATABASE} TO ROLE ${PREFIX}_TRANSFORM;
GRANT USAGE ON DATABASE ${DATABASE} TO ROLE ${PREFIX}_READ;

-- The loader makes its tables and their views, owns them, and uses the stage.
GRANT USAGE ON SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_LOAD;
GRANT CREATE TABLE ON SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_LOAD;
GRANT CREATE VIEW ON SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_LOAD;
GRANT READ ON STAGE ${DATABASE}.${MART}.${STAGE} TO ROLE ${PREFIX}_LOAD;
GRANT WRITE ON STAGE ${DATABASE}.${MART}.${STAGE} TO ROLE ${PREFIX}_LOAD;

-- dbt reads the tables and makes views.
GRANT USAGE ON SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_TRANSFORM;
GRANT SELECT ON ALL TABLES IN SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_TRANSFORM;
GRANT SELECT ON FUTURE TABLES IN SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_TRANSFORM;
GRANT USAGE ON SCHEMA ${DATABASE}.${VIEWS} TO ROLE ${PREFIX}_TRANSFORM;
GRANT CREATE VIEW ON SCHEMA ${DATABASE}.${VIEWS} TO ROLE ${PREFIX}_TRANSFORM;
GRANT CREATE TABLE ON SCHEMA ${DATABASE}.${VIEWS} TO ROLE ${PREFIX}_TRANSFORM;
GRANT USAGE ON SCHEMA ${DATABASE}.${FIVETRAN} TO ROLE ${PREFIX}_TRANSFORM;
GRANT CREATE VIEW ON SCHEMA ${DATABASE}.${FIVETRAN} TO ROLE ${PREFIX}_TRANSFORM;
GRANT CREATE TABLE ON SCHEMA ${DATABASE}.${FIVETRAN} TO ROLE ${PREFIX}_TRANSFORM;

-- Readers see views. Without masking policies (Enterprise Edition), run dbt with `hide_tokens: true`: the views then
-- have no column that holds tokens, and those who may see tokens read the tables.
GRANT USAGE ON SCHEMA ${DATABASE}.${VIEWS} TO ROLE ${PREFIX}_READ;
GRANT SELECT ON ALL VIEWS IN SCHEMA ${DATABASE}.${VIEWS} TO ROLE ${PREFIX}_READ;
GRANT SELECT ON FUTURE VIEWS IN SCHEMA ${DATABASE}.${VIEWS} TO ROLE ${PREFIX}_READ;
GRANT USAGE ON SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_TOKENS;
GRANT SELECT ON ALL TABLES IN SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_TOKENS;
GRANT SELECT ON FUTURE TABLES IN SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_TOKENS;
GRANT SELECT ON ALL VIEWS IN SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_TOKENS;
GRANT SELECT ON FUTURE VIEWS IN SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_TOKENS;
GRANT USAGE ON SCHEMA ${DATABASE}.${FIVETRAN} TO ROLE ${PREFIX}_TOKENS;
GRANT SELECT ON ALL VIEWS IN SCHEMA ${DATABASE}.${FIVETRAN} TO ROLE ${PREFIX}_TOKENS;
GRANT SELECT ON FUTURE VIEWS IN SCHEMA ${DATABASE}.${FIVETRAN} TO ROLE ${PREFIX}_TOKENS;

-- In zenfloe.toml:
--     [destinations.snowflake]
--     kind = "snowflake"
--     account = "your organization-account"
--     user = "${PREFIX}_LOADER"
--     role = "${PREFIX}_LOAD"
--     warehouse = "${WAREHOUSE}"
--     database = "${DATABASE}"
--     schema = "${mart}"
--     private_key_file = "/etc/zenfloe/loader.p8"
--     passphrase_file = "/etc/zenfloe/loader.passphrase"
