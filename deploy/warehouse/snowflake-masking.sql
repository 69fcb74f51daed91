-- Snowflake, Enterprise Edition: columns that hold tokens are null for whoever lacks the role ${PREFIX}_TOKENS.
-- Written by `zenfloe init --destination snowflake --masking`; run it after setup.sql, as a user who has the roles
-- SECURITYADMIN, SYSADMIN and ACCOUNTADMIN. It may be run again.
--
-- Policies of the tables hold in every view over them: what counts is who asks, not who made the view. A policy that
-- is attached is not replaced; to change one, `ALTER MASKING POLICY … SET BODY -> …`.

USE ROLE USERADMIN;
CREATE ROLE IF NOT EXISTS ${PREFIX}_PROTECT COMMENT = 'Attaches masking policies to the columns of ${MART}.';
GRANT ROLE ${PREFIX}_PROTECT TO ROLE SYSADMIN;

USE ROLE ACCOUNTADMIN;
GRANT APPLY MASKING POLICY ON ACCOUNT TO ROLE ${PREFIX}_PROTECT;
GRANT EXECUTE TASK ON ACCOUNT TO ROLE ${PREFIX}_PROTECT;

USE ROLE SECURITYADMIN;
GRANT USAGE ON DATABASE ${DATABASE} TO ROLE ${PREFIX}_PROTECT;
GRANT USAGE ON SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_PROTECT;
GRANT CREATE MASKING POLICY ON SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_PROTECT;
GRANT CREATE PROCEDURE ON SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_PROTECT;
GRANT CREATE TASK ON SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_PROTECT;
GRANT USAGE ON WAREHOUSE ${WAREHOUSE} TO ROLE ${PREFIX}_PROTECT;
-- Columns of tables that a role has no right to are not in INFORMATION_SCHEMA.
GRANT REFERENCES ON ALL TABLES IN SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_PROTECT;
GRANT REFERENCES ON FUTURE TABLES IN SCHEMA ${DATABASE}.${MART} TO ROLE ${PREFIX}_PROTECT;

USE ROLE ${PREFIX}_PROTECT;
USE WAREHOUSE ${WAREHOUSE};
USE SCHEMA ${DATABASE}.${MART};

-- The loader updates rows by what they hold, and dbt's tests compare tokens: both see them.
CREATE MASKING POLICY IF NOT EXISTS ${PREFIX}_TOKEN_TEXT AS (VAL VARCHAR) RETURNS VARCHAR ->
    CASE WHEN IS_ROLE_IN_SESSION('${PREFIX}_TOKENS') OR IS_ROLE_IN_SESSION('${PREFIX}_LOAD') OR IS_ROLE_IN_SESSION('${PREFIX}_TRANSFORM') THEN VAL ELSE NULL END;
CREATE MASKING POLICY IF NOT EXISTS ${PREFIX}_TOKEN_JSON AS (VAL VARIANT) RETURNS VARIANT ->
    CASE WHEN IS_ROLE_IN_SESSION('${PREFIX}_TOKENS') OR IS_ROLE_IN_SESSION('${PREFIX}_LOAD') OR IS_ROLE_IN_SESSION('${PREFIX}_TRANSFORM') THEN VAL ELSE NULL END;

-- Other shapes of the same idea, to attach by hand to a column that needs less:
--     equal for equal persons, and no token:   ... ELSE SHA2(VAL, 256) END
--     the kind of token alone:                 ... ELSE SPLIT_PART(VAL, '_', 1) END

-- Attaches the policies to every column whose comment says `[<class>: token]`, or that holds personal data in clear
-- text because the configuration says so.
CREATE OR REPLACE PROCEDURE ${PREFIX}_PROTECT_TOKENS() RETURNS NUMBER LANGUAGE SQL EXECUTE AS OWNER AS
$$
DECLARE
    done NUMBER DEFAULT 0;
    change VARCHAR;
    held CURSOR FOR
        SELECT C.TABLE_NAME AS TABLE_NAME, C.COLUMN_NAME AS COLUMN_NAME, C.DATA_TYPE AS DATA_TYPE
        FROM ${DATABASE}.INFORMATION_SCHEMA.COLUMNS C
        JOIN ${DATABASE}.INFORMATION_SCHEMA.TABLES T ON T.TABLE_SCHEMA = C.TABLE_SCHEMA AND T.TABLE_NAME = C.TABLE_NAME
        WHERE C.TABLE_SCHEMA = '${MART}' AND T.TABLE_TYPE = 'BASE TABLE' AND C.DATA_TYPE IN ('TEXT', 'VARIANT')
            AND REGEXP_LIKE(C.COMMENT, '.*\\[[^\\]]+: (token|clear)\\]') AND NOT ENDSWITH(C.COMMENT, '[none: clear]');
BEGIN
    FOR one IN held DO
        change := 'ALTER TABLE ${DATABASE}.${MART}."' || one.TABLE_NAME || '" MODIFY COLUMN "' || one.COLUMN_NAME
            || '" SET MASKING POLICY ${DATABASE}.${MART}.' || IFF(one.DATA_TYPE = 'TEXT', '${PREFIX}_TOKEN_TEXT', '${PREFIX}_TOKEN_JSON') || ' FORCE';
        EXECUTE IMMEDIATE :change;
        done := done + 1;
    END FOR;
    RETURN done;
END;
$$;

-- New tables and columns are protected within the hour; call the procedure yourself after the first load.
CREATE OR REPLACE TASK ${PREFIX}_PROTECT_TOKENS_HOURLY WAREHOUSE = ${WAREHOUSE} SCHEDULE = '60 MINUTE' AS CALL ${PREFIX}_PROTECT_TOKENS();
ALTER TASK ${PREFIX}_PROTECT_TOKENS_HOURLY RESUME;
CALL ${PREFIX}_PROTECT_TOKENS();
