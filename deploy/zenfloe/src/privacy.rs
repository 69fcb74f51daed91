//! `zenfloe catalog --privacy`: the record of processing, for whoever must be able to show it.

use std::collections::BTreeMap;

use zenfloe_catalog::Catalog;
use zenfloe_process::{ExitCode, Failure};
use zenfloe_transformer::{Processed, Rule, processing};

use crate::config::Config;
use crate::{args, failure, parts};

/// Runs the command.
pub(crate) async fn privacy(command: &args::Catalog) -> Result<(), Failure> {
    let config = Config::load(&command.config.config)?;
    let (name, source) = config.source(command.source.as_deref())?;
    let log = parts::existing_log(&config).await?;
    let all = processing(log.as_deref(), name, Catalog::builtin(), &source.transform).await;
    let mut all = all.map_err(|error| failure::of_transformer(&error))?;
    let chosen: Vec<String> = parts::collections(source)?
        .iter()
        .map(|collection| collection.name.clone())
        .collect();
    all.retain(|one| chosen.contains(&one.collection));
    if let Some(table) = &command.table {
        all.retain(|one| one.table == *table);
    }
    if all.is_empty() {
        let what = "the source reads no such table".to_owned();
        return Err(Failure::new(ExitCode::Usage, what).remedy("`zenfloe catalog` lists all tables"));
    }
    if command.json {
        println!("{}", serde_json::to_string_pretty(&all).expect("strings serialise"));
    } else if command.markdown {
        print!("{}", markdown(name.as_str(), &all));
    } else {
        print!("{}", text(&all));
    }
    Ok(())
}

fn tables(all: &[Processed]) -> BTreeMap<&str, Vec<&Processed>> {
    let mut tables: BTreeMap<&str, Vec<&Processed>> = BTreeMap::new();
    for one in all {
        tables.entry(&one.table).or_default().push(one);
    }
    tables
}

fn text(all: &[Processed]) -> String {
    let mut out = String::new();
    for (table, columns) in tables(all) {
        out.push_str(&format!("{table} (from {})\n", columns[0].collection));
        for one in columns {
            let (class, action, since) = (&one.class, one.action.as_str(), since(one));
            out.push_str(&format!(
                "  {:<44} {class:<12} {action:<7} {since:<24} {}\n",
                one.column,
                by(&one.by)
            ));
        }
        out.push('\n');
    }
    out
}

fn markdown(source: &str, all: &[Processed]) -> String {
    let mut out = format!(
        "# What happens to the columns of `{source}`\n\nActions: `clear` passes as it is, `coarse` is made coarser, \
         `redact` loses personal spans, `token` is replaced by a keyed token, `drop` is not there.\n"
    );
    for (table, columns) in tables(all) {
        out.push_str(&format!("\n## {table}\n\n"));
        out.push_str("| column | what it is | class | action | since | by |\n|---|---|---|---|---|---|\n");
        for one in columns {
            let cells = [
                format!("`{}`", one.column),
                one.doc.clone(),
                one.class.clone(),
                one.action.as_str().to_owned(),
                since(one),
                by(&one.by),
            ];
            let cells = cells.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
            out.push_str(&format!("| {} |\n", cells.join(" | ")));
        }
    }
    out
}

/// The revision and the day.
fn since(one: &Processed) -> String {
    let day = one.since.and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    match (one.revision, day) {
        (Some(revision), Some(day)) => format!("revision {revision}, {}", day.strftime("%Y-%m-%d")),
        _ => "not yet".to_owned(),
    }
}

fn by(rule: &Rule) -> String {
    match rule {
        Rule::Class => "the default of its class".to_owned(),
        Rule::Catalog => "the catalog".to_owned(),
        Rule::Field => "the default of custom fields".to_owned(),
        Rule::Exclude { pattern } => format!("exclude \"{pattern}\""),
        Rule::NotIncluded => "no pattern of include".to_owned(),
        Rule::NewField => "new_fields = \"block\"".to_owned(),
        Rule::Action { pattern, reason: None } => format!("actions \"{pattern}\""),
        Rule::Action {
            pattern,
            reason: Some(reason),
        } => format!("actions \"{pattern}\": {reason}"),
    }
}
