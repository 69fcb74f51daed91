-- PostgreSQL for Zenfloe: roles, schemas, and who may see what. Written by `zenfloe init --destination postgres`.
--
-- Run it in the database `${database}` as a superuser, or as its owner with CREATEROLE; it may be run again:
--     psql --set ON_ERROR_STOP=1 --dbname ${database} --file setup.sql
-- Then give the two that sign in a password (`\password ${prefix}_load` in psql keeps it out of every log),
-- or let them sign in by certificate.

BEGIN;

-- Who is who. `_load` and `_transform` are services; `_read` and `_tokens` are granted to people:
--     GRANT "${prefix}_read" TO "jo";      sees everything but tokens
--     GRANT "${prefix}_tokens" TO "kim";   sees tokens too
DO $roles$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('${prefix}_load', true), ('${prefix}_transform', true),
            ('${prefix}_read', false), ('${prefix}_tokens', false)
        ) AS roles (name, signs_in)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = wanted.name) THEN
            EXECUTE pg_catalog.format(
                'CREATE ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION %s',
                wanted.name, CASE WHEN wanted.signs_in THEN 'LOGIN' ELSE 'NOLOGIN' END);
        END IF;
    END LOOP;
END
$roles$;

COMMENT ON ROLE "${prefix}_load" IS 'Zenfloe''s loader: owns the tables of ${mart} and nothing else.';
COMMENT ON ROLE "${prefix}_transform" IS 'dbt: reads ${mart}, owns the views.';
COMMENT ON ROLE "${prefix}_read" IS 'Reads all columns that hold no token.';
COMMENT ON ROLE "${prefix}_tokens" IS 'Reads all columns.';

GRANT CONNECT ON DATABASE "${database}" TO "${prefix}_load", "${prefix}_transform", "${prefix}_read", "${prefix}_tokens";
-- Every flush passes through a temporary table.
GRANT TEMPORARY ON DATABASE "${database}" TO "${prefix}_load";

CREATE SCHEMA IF NOT EXISTS "${mart}";
COMMENT ON SCHEMA "${mart}" IS 'Zendesk''s records as they are, written by Zenfloe.';
REVOKE ALL ON SCHEMA "${mart}" FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA "${mart}" TO "${prefix}_load";
GRANT USAGE ON SCHEMA "${mart}" TO "${prefix}_transform", "${prefix}_read", "${prefix}_tokens";

-- Shares what the caller owns in a schema, or one relation of it. Whoever calls it must own the relations.
--
-- A column's comment ends with its class and what happens to it, as in `[email: token]`. The reader gets a column
-- when it is not personal (`[none: clear]`), when what was personal in it is taken out (redact, coarse, drop), or
-- when it is one of those that every row carries; a column that says nothing is not shared. A view's column says
-- what the mart's column of the same name says, that of `<table>_current` what the table's says.
CREATE OR REPLACE PROCEDURE "${mart}".zenfloe_share_own(in_schema text, in_relation text DEFAULT NULL)
LANGUAGE plpgsql SECURITY INVOKER SET search_path = pg_catalog, pg_temp AS $share$
DECLARE
    relation record;
    plain text;
    hidden text;
BEGIN
    FOR relation IN
        SELECT c.oid, c.relname
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = in_schema AND c.relkind IN ('r', 'p', 'v', 'm') AND left(c.relname, 9) <> '_zenfloe_'
            AND c.relname = coalesce(in_relation, c.relname)
            AND c.relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
    LOOP
        IF NOT has_table_privilege('${prefix}_tokens', relation.oid, 'SELECT')
            OR NOT has_table_privilege('${prefix}_transform', relation.oid, 'SELECT') THEN
            EXECUTE format('GRANT SELECT ON %I.%I TO "${prefix}_tokens", "${prefix}_transform"', in_schema, relation.relname);
        END IF;
        SELECT
            string_agg(quote_ident(name), ', ') FILTER (WHERE is_plain AND NOT is_shared),
            string_agg(quote_ident(name), ', ') FILTER (WHERE NOT is_plain AND is_shared)
        INTO plain, hidden
        FROM (
            SELECT
                a.attname AS name,
                has_column_privilege('${prefix}_read', relation.oid, a.attnum, 'SELECT') AS is_shared,
                a.attname IN ('received_at', '_version', '_extracted_at', '_raw_partition', '_raw_offset', '_revision',
                    '_deleted', '_loaded_at')
                OR coalesce(col_description(m.attrelid, m.attnum), col_description(a.attrelid, a.attnum), '')
                    ~ '(\[none: clear\]|: (redact|coarse|drop)\])$' AS is_plain
            FROM pg_attribute a
            LEFT JOIN pg_class t ON t.relname = regexp_replace(relation.relname, '_current$', '')
                AND t.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = '${mart}')
            LEFT JOIN pg_attribute m ON m.attrelid = t.oid AND m.attname = a.attname AND NOT m.attisdropped
            WHERE a.attrelid = relation.oid AND a.attnum > 0 AND NOT a.attisdropped
        ) columns;
        IF hidden IS NOT NULL THEN
            EXECUTE format('REVOKE SELECT (%s) ON %I.%I FROM "${prefix}_read"', hidden, in_schema, relation.relname);
        END IF;
        IF plain IS NOT NULL THEN
            EXECUTE format('GRANT SELECT (%s) ON %I.%I TO "${prefix}_read"', plain, in_schema, relation.relname);
        END IF;
    END LOOP;
END
$share$;

-- The same for the loader's tables, with the loader's rights: dbt calls it before each run, so that tables and
-- columns that are new get their grants. Without dbt, call it daily.
CREATE OR REPLACE PROCEDURE "${mart}".zenfloe_share()
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $share$
BEGIN
    CALL "${mart}".zenfloe_share_own('${mart}');
END
$share$;
ALTER PROCEDURE "${mart}".zenfloe_share() OWNER TO "${prefix}_load";

REVOKE ALL ON PROCEDURE "${mart}".zenfloe_share_own(text, text) FROM PUBLIC;
REVOKE ALL ON PROCEDURE "${mart}".zenfloe_share() FROM PUBLIC;
GRANT EXECUTE ON PROCEDURE "${mart}".zenfloe_share_own(text, text) TO "${prefix}_load", "${prefix}_transform";
GRANT EXECUTE ON PROCEDURE "${mart}".zenfloe_share() TO "${prefix}_transform";

-- What dbt writes.
CREATE SCHEMA IF NOT EXISTS "${views}";
COMMENT ON SCHEMA "${views}" IS 'Views over ${mart}, made by dbt.';
REVOKE ALL ON SCHEMA "${views}" FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA "${views}" TO "${prefix}_transform";
GRANT USAGE ON SCHEMA "${views}" TO "${prefix}_read", "${prefix}_tokens";

-- Views in the shape that Fivetran's tables have: for those who may see tokens, and for the models built on them.
CREATE SCHEMA IF NOT EXISTS "${fivetran}";
COMMENT ON SCHEMA "${fivetran}" IS 'Views over ${mart} in the shape of Fivetran''s tables, made by dbt when asked.';
REVOKE ALL ON SCHEMA "${fivetran}" FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA "${fivetran}" TO "${prefix}_transform";
GRANT USAGE ON SCHEMA "${fivetran}" TO "${prefix}_tokens";
ALTER DEFAULT PRIVILEGES FOR ROLE "${prefix}_transform" IN SCHEMA "${fivetran}" GRANT SELECT ON TABLES TO "${prefix}_tokens";

COMMIT;

-- In zenfloe.toml:
--     [destinations.postgres]
--     kind = "postgres"
--     host = "your server"
--     database = "${database}"
--     user = "${prefix}_load"
--     password_file = "/etc/zenfloe/postgres.password"
--     schema = "${mart}"
