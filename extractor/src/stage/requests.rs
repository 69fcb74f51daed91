//! What is asked of the stage from beside its loop: secrets to keep, histories to read again.

use std::time::Duration;

use tokio_util::sync::CancellationToken;
use zenfloe_record::Offset;

use super::Stage;
use crate::patience::patiently;
use crate::progress::micros;
use crate::resync::LOOKS_EVERY;
use crate::vault::Keep;
use crate::work::Track;
use crate::{Past, StageError, plan, state};

/// How long the end of the stage waits for what must be kept; well below the drain time.
const SETTLE: Duration = Duration::from_secs(5);

impl Stage {
    /// Keeps a secret of the API client, durably, before it is told so.
    pub(super) async fn keep(&mut self, keep: Keep, stop: &CancellationToken) -> Result<(), StageError> {
        let now = micros(self.clock.now());
        let out = vec![self.publisher.secret(&self.state_at, state::LOGIN, &keep.secret, now)];
        if patiently!(stop, self.writer.commit(out.clone(), None).await).is_some() {
            // Whoever asked may have been given up meanwhile; what is kept is kept.
            let _ = keep.kept.send(());
        }
        Ok(())
    }

    /// Keeps what is still under way when the stage ends: a login that is being renewed would be lost.
    pub(super) async fn settle(&mut self) {
        let (api, late) = (self.api.clone(), CancellationToken::new());
        let settling = api.settle();
        let over = tokio::time::sleep(SETTLE);
        tokio::pin!(settling, over);
        loop {
            tokio::select! {
                () = &mut settling => return,
                () = &mut over => return,
                Some(keep) = self.vault.recv() => {
                    if let Err(error) = self.keep(keep, &late).await {
                        tracing::warn!("a renewed login is not kept: {error}");
                        return;
                    }
                }
            }
        }
    }

    /// Looks now and then for what a person has asked for, and takes it.
    pub(super) async fn look_for_requests(&mut self, stop: &CancellationToken) -> Result<(), StageError> {
        let now = self.clock.now();
        if now.saturating_sub(self.looked.0) >= LOOKS_EVERY {
            self.looked.0 = now;
            self.read_requests().await?;
        }
        for name in std::mem::take(&mut self.resyncs) {
            self.begin_again(&name, stop).await?;
        }
        Ok(())
    }

    /// Reads what has come to the state topic; a log that is away is asked again the next time.
    async fn read_requests(&mut self) -> Result<(), StageError> {
        let read = self.log.scan(&self.state_at, self.looked.1).await;
        let (records, next) = match read {
            Ok(read) => read,
            Err(error) => {
                tracing::debug!("the state topic cannot be looked through: {error}");
                return Ok(());
            }
        };
        self.looked.1 = Offset::max(self.looked.1, next);
        let asked = records.iter().filter_map(state::resync_of);
        self.resyncs.extend(asked.map(str::to_owned));
        Ok(())
    }

    /// Begins a collection's history again, in one commit with the request's end.
    async fn begin_again(&mut self, name: &str, stop: &CancellationToken) -> Result<(), StageError> {
        let (source, collection) = (self.source.as_str().to_owned(), name.to_owned());
        let Some(work) = self.work.get_mut(name) else {
            tracing::warn!(source, collection, "its history was asked for, but it is not selected");
            return Ok(());
        };
        let past = plan::scheduled(name, Track::Past);
        if work.cursor.place.is_none() || self.under_way.contains(&past) {
            // What is under way would be counted to the new history: asked for again at the next turn.
            if work.cursor.place.is_some() {
                self.resyncs.insert(collection);
            }
            return Ok(());
        }
        let since = self.config.since.get(name).map_or(0, |since| since.as_second());
        let now = self.clock.now();
        let pages = work.again(since, i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        let mut out = vec![
            state::cursor_record(&self.state_at, name, &work.cursor),
            state::resync_record(&self.state_at, name, false),
        ];
        for (set, value) in work.sets.take_changed() {
            out.push(state::set_record(&self.state_at, name, &set, value));
        }
        for (part, value) in pages {
            out.push(state::ledger_record(&self.state_at, name, &part, value));
        }
        let target = work.target.collection;
        let has_past = work.past.is_some();
        if patiently!(stop, self.writer.commit(out.clone(), None).await).is_none() {
            return Ok(());
        }
        tracing::info!(source, collection, "its history is read again");
        if has_past {
            self.schedule.remove(&past);
            self.schedule.add(plan::past(target, &self.config));
            self.progress.of(name, |shown| shown.past = Some(Past::default()));
        } else if !self.under_way.contains(name) {
            self.schedule.postpone(name, now);
        }
        Ok(())
    }
}
