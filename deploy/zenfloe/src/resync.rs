//! `zenfloe resync`.

use zenfloe_catalog::Catalog;
use zenfloe_extractor::Resync;
use zenfloe_process::Failure;

use crate::config::Config;
use crate::{args, failure, parts};

/// Runs the command: asks, and leaves the work to the extractor.
pub(crate) async fn resync(command: &args::Resync) -> Result<(), Failure> {
    let config = Config::load(&command.config.config)?;
    let (name, source) = config.source(command.source.as_deref())?;
    let catalog = Catalog::builtin();
    let log = parts::existing_log(&config).await?;
    for collection in &command.collections {
        let asked = match &log {
            Some(log) => zenfloe_extractor::resync(&**log, name, &source.extract, catalog, collection).await,
            None => Ok(Resync::NotBegun),
        };
        match asked.map_err(|error| failure::of_extractor(&error))? {
            Resync::NotBegun => {
                println!("{collection}: nothing has been read of it yet, `zenfloe run` reads all of it")
            }
            Resync::Asked => println!("{collection}: {}", what_follows(catalog, collection)),
        }
    }
    Ok(())
}

fn what_follows(catalog: &Catalog, collection: &str) -> &'static str {
    let is_list = catalog
        .collection(collection)
        .is_some_and(|held| held.endpoint.paging.is_complete());
    match is_list {
        true => "a running extractor publishes every row of its next complete list again, from seconds on",
        false => {
            "a running extractor reads its history again behind what changes now, from seconds on; \
             `zenfloe status` shows how far it is"
        }
    }
}
