//! `zenfloe dead`: what could not be extracted, transformed or loaded.

use std::collections::BTreeMap;

use zenfloe_process::{ExitCode, Failure, stop_on_signal};
use zenfloe_transformer::{Content, LetterInfo, Progress, Which, letters, open_letter, retry_dead};

use crate::args::{Dead, DeadWhich};
use crate::config::Config;
use crate::failure;
use crate::parts::{self, Base};
use crate::pipeline::transformer_parts;

/// Runs the command.
pub(crate) async fn dead(command: &Dead) -> Result<(), Failure> {
    match command {
        Dead::List(which) => list(which).await,
        Dead::Show {
            which,
            offset,
            partition,
            clear,
        } => show(which, *partition, *offset, *clear).await,
        Dead::Retry {
            which,
            offset,
            partition,
        } => retry(which, *partition, offset).await,
    }
}

async fn list(which: &DeadWhich) -> Result<(), Failure> {
    let config = Config::load(&which.config.config)?;
    let (name, _) = config.source(which.source.as_deref())?;
    let base = Base::open_now(&config).await?;
    let letters = letters(&*base.log, name)
        .await
        .map_err(|error| failure::of_transformer(&error))?;
    let open: Vec<&LetterInfo> = letters.iter().filter(|letter| letter.settled_at.is_none()).collect();
    let mut counts: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
    for held in &open {
        let key = (
            held.letter.stage.as_str(),
            held.letter.reason.as_str(),
            &*held.letter.origin.topic,
        );
        *counts.entry(key).or_default() += 1;
    }
    println!(
        "{} letters, {} of them settled",
        letters.len(),
        letters.len() - open.len()
    );
    for ((stage, reason, topic), count) in counts {
        println!("  {count:>8}  {stage:<10} {reason:<12} {topic}");
    }
    for held in open {
        print(held);
    }
    Ok(())
}

fn print(held: &LetterInfo) {
    let at = jiff::Timestamp::from_millisecond(held.timestamp).unwrap_or_default();
    println!(
        "{}/{}  {at}  {} {} {}  {}",
        held.partition,
        held.offset,
        held.letter.stage.as_str(),
        held.letter.reason.as_str(),
        held.letter.origin.encode(),
        held.letter.detail
    );
}

async fn show(which: &DeadWhich, partition: i32, offset: i64, clear: bool) -> Result<(), Failure> {
    let config = Config::load(&which.config.config)?;
    let (name, _) = config.source(which.source.as_deref())?;
    let base = Base::open_now(&config).await?;
    let keys = parts::seal_keys(&config)?;
    let found = open_letter(&*base.log, name, keys, partition, offset).await;
    let Some((letter, content)) = found.map_err(|error| failure::of_transformer(&error))? else {
        let what = format!("there is no letter at {partition}/{offset} of `{name}.dead`");
        return Err(Failure::new(ExitCode::Usage, what).remedy("`zenfloe dead list` shows the places"));
    };
    print(&letter);
    println!("key: {}", letter.key.as_deref().unwrap_or("unknown"));
    println!("size: {} bytes as kept", letter.size);
    println!("settled: {}", if letter.settled_at.is_some() { "yes" } else { "no" });
    match content {
        Content::Json(json) if clear => println!("{}", String::from_utf8_lossy(&json)),
        Content::Json(json) => println!(
            "{} bytes of JSON; --clear prints them, personal data included",
            json.len()
        ),
        Content::Row(row) => println!("a clean row of {} bytes", row.len()),
        Content::Elsewhere => println!("the value stands in the raw topic alone"),
        Content::Sealed(why) => println!("the value does not open: {why}"),
    }
    Ok(())
}

async fn retry(which: &DeadWhich, partition: i32, offsets: &[i64]) -> Result<(), Failure> {
    let config = Config::load(&which.config.config)?;
    let (name, source) = config.source(which.source.as_deref())?;
    let base = Base::open_now(&config).await?;
    let stop = stop_on_signal().map_err(|error| Failure::from_error(ExitCode::Failed, &error))?;
    let parts = transformer_parts(&config, &base, (name, source), Progress::default())?;
    let chosen = match offsets {
        [] => Which::All,
        offsets => Which::At(offsets.iter().map(|offset| (partition, *offset)).collect()),
    };
    let done = retry_dead(parts, chosen, stop)
        .await
        .map_err(|error| failure::of_transformer(&error))?;
    for (letter, why) in &done.still_dead {
        println!("{}/{} again: {why}", letter.partition, letter.offset);
    }
    println!(
        "{} settled ({} rows), {} dead again",
        done.settled,
        done.rows,
        done.still_dead.len()
    );
    if !done.is_complete {
        println!("stopped; what is counted here is done, the rest waits for the next retry");
    }
    Ok(())
}
