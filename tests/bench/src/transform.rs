//! JSON to Avro: the plan with and without redaction, trees of values, a copy.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::time::Instant;

use anyhow::{Context as _, ensure};
use zendesk_sim::Collection as Simulated;
use zenfloe_catalog::{Action, Catalog, Collection};
use zenfloe_keyring::{TokenKeys, Tokens};
use zenfloe_normalize::{Choice, Given, Output, Plan};
use zenfloe_pii::{People, Privacy, TOKEN_CLASSES};
use zenfloe_record::RawKind;

use crate::meter::{median, of_thread};
use crate::stand::account;
use crate::table::Table;
use crate::trees::Trees;

/// What records come with.
pub(crate) const GIVEN: Given = Given {
    kind: RawKind::Record,
    extracted_at: 1_790_000_000_000_001,
    received_at: 1_790_000_000_500_000,
    partition: 3,
    offset: 12_345,
    revision: 2,
};
/// A measurement lasts longer than the scheduler's clock of threads is coarse.
const LONG: u128 = 60;

/// Makes the rows of a ticket; returns their bytes.
type Make<'w> = Box<dyn FnMut(&[u8]) -> usize + 'w>;

/// A way to make rows of tickets.
struct Way<'w> {
    name: &'static str,
    run: Make<'w>,
    /// Microseconds of a ticket, round by round.
    took: Vec<f64>,
}

impl<'w> Way<'w> {
    fn new(name: &'static str, run: impl FnMut(&[u8]) -> usize + 'w) -> Self {
        Self {
            name,
            run: Box::new(run),
            took: Vec::new(),
        }
    }

    /// Runs all tickets, as often as a measurement needs, and notes the time of one.
    fn round(&mut self, tickets: &[String]) {
        let started = Instant::now();
        let before = of_thread(started);
        let mut count = 0;
        loop {
            for ticket in tickets {
                black_box((self.run)(black_box(ticket.as_bytes())));
            }
            count += tickets.len();
            let spent = of_thread(started).saturating_sub(before);
            if spent.as_millis() >= LONG {
                self.took.push(spent.as_secs_f64() * 1e6 / count as f64);
                return;
            }
        }
    }
}

/// Measures so many tickets of a simulated account, each way in turn, `rounds` times.
pub(crate) fn measure(tickets: u32, rounds: usize, table: &mut Table) -> anyhow::Result<()> {
    let simulator = account(tickets, None)?;
    let tickets: Vec<String> = simulator.records(Simulated::Tickets).map(|truth| truth.json).collect();
    drop(simulator);
    let collection = Catalog::builtin().collection("tickets").context("in the catalog")?;
    let bare = Plan::compile(collection, &without_redaction(collection))?;
    let whole = Plan::compile(collection, &Choice::default())?;
    describe(collection, &bare, &tickets)?;

    let trees = Trees::new(collection)?;
    let mut copy = Vec::new();
    let mut ways = [
        Way::new("plan, tokens, texts pass", planned(&bare, &tickets, privacy()?)?),
        Way::new(
            "plan, tokens, personal spans of texts found",
            planned(&whole, &tickets, privacy()?)?,
        ),
        Way::new(
            "plan, tokens, personal spans and 100,000 known people found",
            planned(&whole, &tickets, knowing(100_000)?)?,
        ),
        Way::new("trees of values, tokens, texts pass", |json| {
            trees.rows(json).iter().map(Vec::len).sum()
        }),
        Way::new("copying the record", move |json| {
            copy.clear();
            copy.extend_from_slice(json);
            black_box(&copy).len()
        }),
    ];
    for _ in 0..rounds {
        ways.iter_mut().for_each(|way| way.round(&tickets));
    }
    show(&ways, table);
    Ok(())
}

fn show(ways: &[Way<'_>], table: &mut Table) {
    let plan = &ways[0].took;
    for (index, way) in ways.iter().enumerate() {
        let ratio = median(way.took.iter().zip(plan).map(|(own, plan)| own / plan).collect());
        let micros = median(way.took.clone());
        table.add(
            format!("transform tickets: {}", way.name),
            format!("{:.0} a second and core ({micros:.2} µs)", 1e6 / micros),
            if index == 0 { "120,000" } else { "" },
            if index == 0 { String::new() } else { beside(ratio) },
        );
    }
}

/// How long a way takes beside the plan without redaction.
fn beside(ratio: f64) -> String {
    match ratio < 0.1 {
        true => format!("takes 1/{:.0} of the first's time", 1.0 / ratio),
        false => format!("takes {ratio:.2} times as long as the first"),
    }
}

/// The choice that lets texts through, so that what is left is reading, tokens and writing.
fn without_redaction(collection: &Collection) -> Choice {
    let mut actions = BTreeMap::new();
    for table in &collection.tables {
        let texts = table.columns.iter().filter(|column| column.action == Action::Redact);
        actions.extend(texts.map(|column| ((table.name.clone(), column.name.clone()), Action::Clear)));
    }
    Choice {
        actions,
        ..Choice::default()
    }
}

fn privacy() -> anyhow::Result<Privacy> {
    let tokens = Tokens::new(&TokenKeys::generate(), "acme", TOKEN_CLASSES);
    Ok(Privacy::new(tokens, &["US"])?)
}

/// A guard that knows so many people.
fn knowing(count: u32) -> anyhow::Result<Privacy> {
    let privacy = privacy()?;
    let people = People::new();
    for who in zenfloe_pii_corpus::people(count) {
        for (identifier, value) in who.identifiers() {
            people.learn(identifier, value, privacy.phones());
        }
    }
    println!("{count} known people: {:.0} MB", people.memory() as f64 / 1e6);
    Ok(privacy.with_people(people))
}

/// Runs a plan; every ticket has been seen to become rows before.
fn planned<'p>(
    plan: &'p Plan,
    tickets: &[String],
    mut privacy: Privacy,
) -> anyhow::Result<impl FnMut(&[u8]) -> usize + use<'p>> {
    let mut out = Output::new();
    for ticket in tickets {
        out.clear();
        plan.run(ticket.as_bytes(), &GIVEN, &mut privacy, &mut out)?;
        ensure!(!out.rows.is_empty(), "a ticket gives rows");
    }
    Ok(move |json: &[u8]| {
        out.clear();
        let done = plan.run(json, &GIVEN, &mut privacy, &mut out);
        done.map_or(0, |_| out.bytes.len())
    })
}

/// Tells what a ticket is.
fn describe(collection: &Collection, plan: &Plan, tickets: &[String]) -> anyhow::Result<()> {
    let mut privacy = privacy()?;
    let mut out = Output::new();
    for ticket in tickets {
        plan.run(ticket.as_bytes(), &GIVEN, &mut privacy, &mut out)?;
    }
    let each = |sum: usize| sum as f64 / tickets.len() as f64;
    let tokens: u64 = privacy.counts().tokens().map(|(_, count)| count).sum();
    println!(
        "a ticket: {:.0} bytes of JSON; {:.1} rows, {:.0} bytes of Avro, {:.1} tokens; {} columns in `tickets`",
        each(tickets.iter().map(String::len).sum()),
        each(out.rows.len()),
        each(out.bytes.len()),
        each(usize::try_from(tokens)?),
        collection.tables.first().map_or(0, |table| table.columns.len()),
    );
    Ok(())
}
