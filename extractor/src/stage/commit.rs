//! A page that came: sealed, and committed with the place behind it.

use metrics::counter;
use tokio_util::sync::CancellationToken;
use zenfloe_log::Append;
use zenfloe_zendesk::Page;

use super::{Job, Stage};
use crate::patience::patiently;
use crate::progress::micros;
use crate::publish::Times;
use crate::report::Report;
use crate::work::Track;
use crate::{CollectionProgress, StageError, Status, plan, state};

/// The commit of a page, and what is in it.
struct Prepared {
    out: Vec<Append>,
    /// Records and deletions.
    published: u64,
    letters: u64,
    /// Deletions.
    gone: u64,
    /// Deletions that wait for a person's word.
    held: u64,
    /// The page has split off a past.
    is_split: bool,
    /// What is shown of the collection once the page is committed.
    shown: CollectionProgress,
}

impl Stage {
    /// Publishes a page and its cursor together.
    pub(super) async fn commit(&mut self, job: Job, page: Page, stop: &CancellationToken) -> Result<(), StageError> {
        let work = self.work.get_mut(job.name()).expect("only what is at work is fetched");
        let page = work.published(job.track, page);
        let prepared = self.prepare(job, &page);
        if patiently!(stop, self.writer.commit(prepared.out.clone(), None).await).is_none() {
            // The log stayed away until the stop: nothing of the page is visible, and nothing is lost.
            return Ok(());
        }
        self.plan_on(job, &page, &prepared);
        self.count(job, &page, &prepared);
        self.tell(job, &page, &prepared);
        self.show(job, prepared.shown);
        Ok(())
    }

    /// Makes the records of a page's commit and moves the collection behind the page.
    fn prepare(&mut self, job: Job, page: &Page) -> Prepared {
        let name = job.name();
        let work = self.work.get_mut(name).expect("only what is at work is fetched");
        let times = Times {
            extracted_at: work.cursor.next_extracted_at(page.date),
            now: micros(self.clock.now()),
            is_past: job.track == Track::Past,
        };
        let change = work.look_through(job.track, page, self.config.accept_shrunk.contains(name));
        let is_news = |index: usize| change.as_ref().is_none_or(|change| change.is_new[index]);
        let mut out = Vec::with_capacity(page.records.len() + 4);
        let mut letters = 0;
        let mut people = Vec::new();
        let is_published = job.track == Track::Errands || !work.target.collection.endpoint.only_follows;
        let published = page.records.iter().enumerate().filter(|_| is_published);
        for (_, record) in published.filter(|(index, _)| is_news(*index)) {
            let (append, is_letter) = self.publisher.record(&work.target, record, times, &page.request);
            letters += u64::from(is_letter);
            out.push(append);
            self.publisher.people(&work.target, record, times, &mut people);
        }
        let news = page.records.iter().enumerate().filter(|(index, _)| is_news(*index));
        let errands = work.errands_after(job.track, page, news.map(|(_, record)| record));
        let change = change.unwrap_or_default();
        for (key, partition) in &change.gone {
            work.sets.forget(key);
            out.push(self.publisher.deletion(&work.target, key, *partition, times));
        }
        let published = out.len() as u64 - letters;
        let is_split = work.advance(job.track, page, published, out.is_empty(), times);
        let mut shown = self.progress.get(name);
        shown.page(job.track, page, published, self.clock.now());
        if is_split {
            shown.split();
        }
        shown.dead_letters += letters;
        shown.completed_at = work.cursor.completed_at;
        shown.records_ever = work.cursor.records;
        shown.held_deletions = change.held as u64;
        if job.track == Track::Live && page.is_caught_up {
            people.extend(self.publisher.people_are_complete(name));
        }
        out.append(&mut people);
        out.push(state::cursor_record(&self.state_at, name, &work.cursor));
        for (part, value) in change.state {
            out.push(state::ledger_record(&self.state_at, name, &part, value));
        }
        out.push(state::report_record(&self.state_at, name, &Report::of(&shown, None)));
        for (set, value) in work.sets.take_changed() {
            out.push(state::set_record(&self.state_at, name, &set, value));
        }
        for (errand, value) in errands {
            out.push(state::errand_record(&self.state_at, name, &errand, value));
        }
        out.push(state::pacing_record(&self.state_at, &self.budget.snapshot()));
        Prepared {
            out,
            published,
            letters,
            gone: change.gone.len() as u64,
            held: change.held as u64,
            is_split,
            shown,
        }
    }

    /// Schedules what comes next of the collection.
    fn plan_on(&mut self, job: Job, page: &Page, prepared: &Prepared) {
        let now = self.clock.now();
        if prepared.is_split {
            self.schedule.add(plan::past(job.collection, &self.config));
        }
        self.plan_errands(job);
        if job.track == Track::Past && page.is_caught_up {
            self.schedule.remove(&job.scheduled());
        } else if job.track == Track::Errands {
            self.schedule
                .page_done(&job.scheduled(), prepared.published, false, now);
        } else {
            self.schedule
                .page_done(&job.scheduled(), prepared.published, page.is_caught_up, now);
        }
    }

    /// Errands are scheduled as long as there are any.
    fn plan_errands(&mut self, job: Job) {
        let name = plan::scheduled(job.name(), Track::Errands);
        let is_planned = self.schedule.due(&name).is_some();
        if !self.work[job.name()].errands.is_empty() && !is_planned {
            self.schedule.add(plan::errands(job.collection, &self.config));
        }
    }

    fn show(&mut self, job: Job, shown: CollectionProgress) {
        let due = self.schedule.due(&job.scheduled()).unwrap_or(self.clock.now());
        self.progress.of(job.name(), |held| *held = shown);
        self.progress
            .set_status(job.name(), Status::Waiting { until: micros(due) });
    }

    fn count(&self, job: Job, page: &Page, prepared: &Prepared) {
        let source = self.source.to_string();
        let labels = [("source", source.clone()), ("collection", job.name().to_owned())];
        counter!("zenfloe_extract_records_total", &labels).increment(prepared.published);
        counter!("zenfloe_extract_bytes_total", &labels).increment(page.bytes);
        counter!("zenfloe_extract_commits_total", "source" => source.clone()).increment(1);
        counter!("zenfloe_extract_dead_letters_total", "source" => source, "reason" => "too_large")
            .increment(prepared.letters);
    }

    /// One line about a page that has been committed, and one for each thing that a person should know.
    fn tell(&self, job: Job, page: &Page, prepared: &Prepared) {
        let (source, collection) = (self.source.as_str(), job.name());
        for note in &page.notes {
            tracing::warn!(source, collection, "{note}");
        }
        if prepared.letters > 0 {
            let letters = prepared.letters;
            tracing::warn!(
                source,
                collection,
                letters,
                "too large for their topic: see `zenfloe dead list`"
            );
        }
        if prepared.held > 0 {
            tracing::warn!(
                source,
                collection,
                missing = prepared.held,
                "the list shrank by more than a fifth, its missing rows stay; if they are truly gone: \
                 accept_shrunk = [\"{collection}\"]"
            );
        }
        if prepared.is_split {
            tracing::info!(
                source,
                collection,
                "history is long: it is filled behind what changes now"
            );
        }
        let shown = page.records.len() as u64 + u64::from(page.repeats) + prepared.gone;
        tracing::info!(
            source,
            collection,
            past = job.track == Track::Past,
            records = prepared.published,
            repeats = shown - prepared.published - prepared.letters,
            deletions = prepared.gone,
            bytes = page.bytes,
            caught_up = page.is_caught_up,
            "page"
        );
    }
}
