//! Set-up SQL, pipeline, dbt and rights on a real PostgreSQL.

use anyhow::{Context as _, Result, ensure};
use serde_json::json;
use zenfloe_catalog::ColumnType;
use zenfloe_warehouse::dbt::{Dbt, Outcome};
use zenfloe_warehouse::world::World;
use zenfloe_warehouse::{fivetran, generated};

/// What every row carries, which the reader may see.
const META: &str =
    "'received_at','_version','_extracted_at','_raw_partition','_raw_offset','_revision','_deleted','_loaded_at'";

/// dbt in a folder of the test's: what it read of the project once, it need not read again.
fn dbt(world: &World) -> Result<Dbt> {
    let folder = world.path("dbt");
    std::fs::create_dir(&folder)?;
    Dbt::new(&folder, &world.profile())
}

fn assert_all_pass(outcomes: &[Outcome]) {
    let bad: Vec<&Outcome> = outcomes
        .iter()
        .filter(|one| !["success", "pass"].contains(&one.status.as_str()))
        .collect();
    assert!(bad.is_empty(), "{bad:#?}");
}

async fn number(world: &World, sql: &str) -> Result<u64> {
    let said = world.sql(sql).await?;
    said.trim().parse().with_context(|| format!("{sql}: {said}"))
}

async fn refused(world: &World, role: &str, sql: &str) -> Result<()> {
    let error = world
        .sql_as(role, sql)
        .await
        .err()
        .with_context(|| format!("{role} may: {sql}"))?;
    ensure!(
        error.to_string().contains("permission denied"),
        "{role}: {sql}: {error}"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_have_the_rights_they_need_and_no_others() -> Result<()> {
    let world = World::start().await?;
    world.set_up().await?; // once more, as after an upgrade
    world.load()?;
    loader_has_no_more_than_it_needs(&world).await?;
    nobody_sees_a_table_before_it_is_shared(&world).await?;
    world
        .sql_as("zenfloe_transform", "CALL mart_zendesk.zenfloe_share()")
        .await?;
    readers_see_all_but_tokens(&world).await?;
    a_column_that_turns_personal_is_taken_back(&world).await?;
    world.load() // and the loader goes on
}

async fn loader_has_no_more_than_it_needs(world: &World) -> Result<()> {
    refused(world, "zenfloe_load", "CREATE SCHEMA other").await?;
    refused(world, "zenfloe_load", "CREATE TABLE staging_zendesk.t (i int)").await?;
    for role in ["zenfloe_load", "zenfloe_transform", "zenfloe_read", "zenfloe_tokens"] {
        let flags = "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls FROM pg_roles";
        assert_eq!(
            world.sql(&format!("{flags} WHERE rolname = '{role}'")).await?,
            "f",
            "{role}"
        );
    }
    refused(world, "zenfloe_read", "CREATE TABLE mart_zendesk.t (i int)").await?;
    refused(world, "zenfloe_transform", "CREATE TABLE mart_zendesk.t (i int)").await
}

async fn nobody_sees_a_table_before_it_is_shared(world: &World) -> Result<()> {
    for role in ["zenfloe_transform", "zenfloe_read", "zenfloe_tokens"] {
        refused(world, role, "SELECT id FROM mart_zendesk.users").await?;
    }
    refused(world, "zenfloe_read", "CALL mart_zendesk.zenfloe_share()").await?;
    refused(world, "zenfloe_tokens", "CALL mart_zendesk.zenfloe_share()").await
}

async fn readers_see_all_but_tokens(world: &World) -> Result<()> {
    let users = number(world, "SELECT count(*) FROM mart_zendesk.users").await?;
    assert!(users > 0);
    let count = world
        .sql_as("zenfloe_read", "SELECT count(id) FROM mart_zendesk.users")
        .await?;
    assert_eq!(count, users.to_string());
    for column in ["email", "name", "phone", "*"] {
        refused(
            world,
            "zenfloe_read",
            &format!("SELECT {column} FROM mart_zendesk.users"),
        )
        .await?;
    }
    let tokens =
        "SELECT count(*) FROM mart_zendesk.users WHERE email LIKE 'k1\\_%' OR email LIKE 'tok%' OR email IS NOT NULL";
    assert_ne!(world.sql_as("zenfloe_tokens", tokens).await?, "0");
    for role in ["zenfloe_read", "zenfloe_tokens", "zenfloe_transform"] {
        refused(world, role, "SELECT * FROM mart_zendesk._zenfloe_suppressed").await?;
        refused(world, role, "DELETE FROM mart_zendesk.users").await?;
    }
    for table in generated::tier_1() {
        columns_are_shared_as_the_catalog_says(world, &table.name).await?;
    }
    Ok(())
}

/// Columns of custom fields are in no catalog: those that hold tokens would show among the others.
async fn columns_are_shared_as_the_catalog_says(world: &World, table: &str) -> Result<()> {
    let (_, known) = zenfloe_catalog::Catalog::builtin()
        .table(table)
        .context("a table of the catalog")?;
    let own: Vec<String> = known
        .columns
        .iter()
        .map(|column| format!("'{}'", column.name))
        .collect();
    let shared = format!(
        "SELECT a.attname FROM pg_attribute a WHERE a.attrelid = to_regclass('mart_zendesk.{table}') AND a.attnum > 0
        AND has_column_privilege('zenfloe_read', a.attrelid, a.attnum, 'SELECT') AND a.attname NOT IN ({META})
        AND (a.attname IN ({}) OR col_description(a.attrelid, a.attnum) LIKE '%: token]') ORDER BY 1",
        own.join(", ")
    );
    if world
        .sql(&format!("SELECT to_regclass('mart_zendesk.{table}') IS NULL"))
        .await?
        == "t"
    {
        return Ok(()); // the account has no such rows
    }
    let mut expected: Vec<&str> = known
        .columns
        .iter()
        .filter(|column| !generated::is_token(column))
        .map(|column| &*column.name)
        .collect();
    expected.sort_unstable();
    assert_eq!(
        world.sql(&shared).await?.lines().collect::<Vec<_>>(),
        expected,
        "{table}"
    );
    Ok(())
}

async fn a_column_that_turns_personal_is_taken_back(world: &World) -> Result<()> {
    world
        .sql("COMMENT ON COLUMN mart_zendesk.users.role IS 'What it is. [person: token]'")
        .await?;
    world.sql("CALL mart_zendesk.zenfloe_share()").await?;
    refused(world, "zenfloe_read", "SELECT role FROM mart_zendesk.users").await
}

#[tokio::test(flavor = "multi_thread")]
async fn dbt_builds_and_tests_every_view_over_what_the_pipeline_wrote() -> Result<()> {
    let world = World::start().await?;
    let dbt = dbt(&world)?;
    let with_fivetran = json!({"fivetran": true});
    dbt.run(&["build"], &with_fivetran)?; // nothing is loaded: views stand, empty
    assert_all_pass(&dbt.outcomes()?);

    world.load()?;
    custom_fields(&world).await?;
    dbt.run(&["build"], &with_fivetran)?;
    let outcomes = dbt.outcomes()?;
    assert_all_pass(&outcomes);
    println!("{} nodes", outcomes.len());
    dbt.run(&["source", "freshness"], &with_fivetran)?;

    staging_holds_what_is_live(&world).await?;
    readers_see_views_but_no_tokens(&world).await?;
    fivetran_has_its_columns(&world).await?;
    fivetran_has_its_values(&world).await?;
    schedules_have_their_values(&world, &dbt).await?;

    dbt.run(&["run", "--select", "tag:staging"], &json!({"hide_tokens": true}))?;
    hidden_columns_are_left_out(&world).await
}

/// As the loader adds them: one that anyone may see, one that holds tokens.
async fn custom_fields(world: &World) -> Result<()> {
    world
        .sql(
            "ALTER TABLE mart_zendesk.tickets ADD COLUMN custom_region text, ADD COLUMN custom_contact text;
            COMMENT ON COLUMN mart_zendesk.tickets.custom_region IS 'Region. [none: clear]';
            COMMENT ON COLUMN mart_zendesk.tickets.custom_contact IS 'Contact. [text: token]';
            UPDATE mart_zendesk.tickets SET custom_region = 'north', custom_contact = 'k1_x'",
        )
        .await
        .map(drop)
}

async fn staging_holds_what_is_live(world: &World) -> Result<()> {
    for table in generated::tier_1() {
        let name = &table.name;
        if world
            .sql(&format!("SELECT to_regclass('mart_zendesk.{name}') IS NULL"))
            .await?
            == "t"
        {
            assert_eq!(
                number(world, &format!("SELECT count(*) FROM staging_zendesk.{name}")).await?,
                0
            );
            continue;
        }
        let differ = format!(
            "SELECT (SELECT count(*) FROM mart_zendesk.{name} WHERE NOT _deleted) - (SELECT count(*) FROM staging_zendesk.{name})"
        );
        assert_eq!(world.sql(&differ).await?, "0", "{name}");
    }
    let zones =
        "SELECT count(*) FROM information_schema.columns WHERE table_schema IN ('staging_zendesk', 'fivetran_zendesk')
        AND data_type = 'timestamp with time zone'";
    assert_eq!(number(world, zones).await?, 0, "times have no zone");
    let shifted = "SELECT count(*) FROM staging_zendesk.tickets s JOIN mart_zendesk.tickets m USING (id)
        WHERE s.created_at <> m.created_at AT TIME ZONE 'UTC'";
    assert_eq!(number(world, shifted).await?, 0);
    let solved = "SELECT count(*) FROM staging_zendesk.tickets WHERE is_solved <> (status IN ('solved', 'closed'))";
    assert_eq!(number(world, solved).await?, 0);
    let custom =
        "SELECT count(*) FROM staging_zendesk.tickets WHERE custom_region = 'north' AND custom_contact = 'k1_x'";
    assert!(number(world, custom).await? > 0, "custom fields are there");
    Ok(())
}

async fn readers_see_views_but_no_tokens(world: &World) -> Result<()> {
    let plain = "SELECT count(id), count(role), count(is_agent) FROM staging_zendesk.users";
    assert!(!world.sql_as("zenfloe_read", plain).await?.starts_with("0|"));
    world
        .sql_as(
            "zenfloe_read",
            "SELECT custom_region, tag_count FROM staging_zendesk.tickets LIMIT 1",
        )
        .await?;
    refused(world, "zenfloe_read", "SELECT email FROM staging_zendesk.users").await?;
    refused(
        world,
        "zenfloe_read",
        "SELECT custom_contact FROM staging_zendesk.tickets",
    )
    .await?;
    refused(world, "zenfloe_read", "SELECT email FROM fivetran_zendesk.\"user\"").await?;
    world
        .sql_as("zenfloe_tokens", "SELECT email FROM staging_zendesk.users")
        .await?;
    world
        .sql_as("zenfloe_tokens", "SELECT email FROM fivetran_zendesk.\"user\"")
        .await
        .map(drop)
}

async fn hidden_columns_are_left_out(world: &World) -> Result<()> {
    let asked = "SELECT string_agg(column_name, ',' ORDER BY column_name) FROM information_schema.columns
        WHERE table_schema = 'staging_zendesk' AND table_name IN ('users', 'tickets')
        AND column_name IN ('email', 'name', 'phone', 'role', 'custom_contact', 'custom_region')";
    assert_eq!(
        world.sql(asked).await?,
        "custom_region,role",
        "columns with tokens are left out"
    );
    Ok(())
}

fn written(kind: ColumnType) -> &'static str {
    match kind {
        ColumnType::Long => "bigint",
        ColumnType::Double => "double precision",
        ColumnType::Boolean => "boolean",
        ColumnType::String => "text",
        ColumnType::Timestamp => "timestamp without time zone",
        ColumnType::Date => "date",
        ColumnType::Json => "jsonb",
    }
}

async fn fivetran_has_its_columns(world: &World) -> Result<()> {
    let asked = "SELECT table_name || ' ' || column_name || ' ' || data_type FROM information_schema.columns
        WHERE table_schema = 'fivetran_zendesk' AND table_name NOT IN ('time_zones', 'daylight_times')
        AND column_name NOT LIKE 'custom\\_%'";
    let said = world.sql(asked).await?;
    let mut held: Vec<String> = said.lines().map(str::to_owned).collect();
    let columns = fivetran::columns();
    let mut expected: Vec<String> = columns
        .iter()
        .map(|column| format!("{} {} {}", column.table, column.name, written(column.kind)))
        .collect();
    held.sort();
    expected.sort();
    assert_eq!(held.len(), 258);
    assert_eq!(held, expected);
    Ok(())
}

/// Pairs of queries that must say the same: over the views in Fivetran's shape, and over the tables.
const SAME: [(&str, &str); 12] = [
    ("count(*) FROM \"ticket\"", "count(*) FROM m.tickets"),
    (
        "count(*) FROM \"ticket\" WHERE _fivetran_deleted",
        "count(*) FROM m.tickets WHERE _deleted",
    ),
    (
        "string_agg(tag, ',' ORDER BY ticket_id, tag) FROM ticket_tag",
        "string_agg(tag, ',' ORDER BY id, tag) FROM m.tickets, jsonb_array_elements_text(tags) tag WHERE NOT _deleted",
    ),
    (
        "count(*) FROM user_tag",
        "coalesce(sum(jsonb_array_length(tags)), 0) FROM m.users WHERE NOT _deleted",
    ),
    (
        "string_agg(domain_name, ',' ORDER BY organization_id, index) FROM domain_name",
        "string_agg(d.value, ',' ORDER BY id, d.place) FROM m.organizations,
        jsonb_array_elements_text(domain_names) WITH ORDINALITY d(value, place) WHERE NOT _deleted",
    ),
    ("min(index) FROM domain_name", "0"),
    (
        "count(DISTINCT email) FROM \"user\"",
        "count(DISTINCT email) FROM m.users",
    ),
    (
        "max(updated_at) FROM \"ticket\"",
        "max(updated_at) AT TIME ZONE 'UTC' FROM m.tickets",
    ),
    ("count(*) FROM \"group\"", "count(*) FROM m.groups"),
    (
        "count(*) FROM organization",
        "count(*) FROM m.organizations WHERE NOT _deleted",
    ),
    ("standard_offset FROM time_zone WHERE time_zone = 'Berlin'", "'+01:00'"),
    (
        "daylight_start_utc::text || ' ' || daylight_end_utc::text || ' ' || daylight_offset FROM daylight_time
        WHERE time_zone = 'Pacific Time (US & Canada)' AND year = 2024",
        "'2024-03-10 10:00:00 2024-11-03 09:00:00 1'",
    ),
];

async fn fivetran_has_its_values(world: &World) -> Result<()> {
    for (shaped, plain) in SAME {
        let shaped = world
            .sql(&format!("SET search_path = fivetran_zendesk; SELECT {shaped}"))
            .await?;
        let plain = world
            .sql(&format!("SELECT {}", plain.replace("m.", "mart_zendesk.")))
            .await?;
        assert_eq!(shaped, plain);
        assert!(!shaped.is_empty());
    }
    Ok(())
}

/// A table that no collection feeds yet, written by hand in the loader's form.
async fn schedules_have_their_values(world: &World, dbt: &Dbt) -> Result<()> {
    let row = "received_at timestamptz NOT NULL DEFAULT now(), _deleted boolean NOT NULL DEFAULT false";
    world
        .sql(&format!(
            "SET ROLE zenfloe_load; SET search_path = mart_zendesk;
            CREATE TABLE schedules (id bigint, name text, time_zone text, intervals jsonb, created_at timestamptz, {row});
            INSERT INTO schedules VALUES (7, 'Office', 'New Delhi', '[{{\"start_time\":1980,\"end_time\":2460}},{{\"start_time\":3420,\"end_time\":3900}}]', now());
            GRANT SELECT ON schedules TO zenfloe_transform"
        ))
        .await?;
    dbt.run(&["run", "--select", "fivetran__schedule"], &json!({"fivetran": true}))?;
    let shaped =
        "SELECT string_agg(start_time || ' ' || start_time_utc || ' ' || end_time_utc, ',' ORDER BY start_time)
        FROM fivetran_zendesk.schedule";
    assert_eq!(world.sql(shaped).await?, "1980 1650 2130,3420 3090 3570");
    Ok(())
}
