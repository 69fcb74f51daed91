use std::cmp::Ordering;
use std::time::Duration;

use crate::Moment;

/// How often the collections are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One complete pass over everything, then the end.
    Once,
    /// Again and again, each collection at its interval.
    Interval,
    /// Again and again, each as soon as the budget allows; a quiet collection is asked less and less
    /// often, down to every `slowest`.
    Continuous {
        /// The wait after a pass that found something.
        fastest: Duration,
        /// The longest wait.
        slowest: Duration,
    },
}

/// What the schedule must know of a collection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The collection.
    pub name: String,
    /// Collections of one lane share a rate bucket; lanes run side by side.
    pub lane: String,
    /// Collections of the lane that are read at the same time, a page of each: enough that slow answers
    /// leave no slot of the bucket unused. The same for all of a lane.
    pub abreast: usize,
    /// Of several that are due the one with the smallest rank goes first.
    pub rank: u32,
    /// Collections whose first complete pass must be over before this one begins.
    pub after: Vec<String>,
    /// The time from the end of one pass to the next.
    pub interval: Duration,
    /// A continuous schedule polls it faster than its interval; not for lists, which cost a pass each time.
    pub is_pollable: bool,
}

/// What a lane does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Read a page of this collection.
    Run(String),
    /// Nothing before this moment.
    Wait(Moment),
    /// Nothing before another lane has come further.
    Blocked,
    /// Nothing ever again.
    Done,
}

#[derive(Debug, Clone)]
struct Entry {
    plan: Plan,
    has_completed: bool,
    done_in_this_run: bool,
    off: bool,
    running: bool,
    /// Not before: the interval, a retry, or the next try of what is switched off.
    due: Moment,
    quiet_passes: u32,
    records_in_pass: u64,
}

/// Which collection is read next.
///
/// Contract: `after` has no circles.
#[derive(Debug, Clone)]
pub struct Schedule {
    mode: Mode,
    entries: Vec<Entry>,
}

impl Schedule {
    /// Everything is due and nothing has been completed.
    pub fn new(mode: Mode, plans: Vec<Plan>) -> Self {
        let mut entries: Vec<_> = plans.into_iter().map(Entry::from).collect();
        entries.sort_by(by_rank);
        Self { mode, entries }
    }

    /// Adds what came to light later; it is due at once.
    pub fn add(&mut self, plan: Plan) {
        self.entries.push(plan.into());
        self.entries.sort_by(by_rank);
    }

    /// Takes away what will never be due again.
    pub fn remove(&mut self, name: &str) {
        self.entries.retain(|entry| entry.plan.name != name);
    }

    /// Goes on where an earlier process stood: the end of the last complete pass, and whether another has begun since.
    pub fn resume(&mut self, name: &str, completed_at: Option<Moment>, is_midway: bool) {
        let mode = self.mode;
        let Some(entry) = self.entry(name) else { return };
        entry.has_completed = completed_at.is_some();
        entry.due = match completed_at {
            Some(completed_at) if !is_midway && mode != Mode::Once => completed_at + wait_after_pass(mode, entry),
            _ => Moment::ZERO,
        };
    }

    /// The lanes, sorted.
    pub fn lanes(&self) -> Vec<String> {
        let mut lanes: Vec<_> = self.entries.iter().map(|entry| entry.plan.lane.clone()).collect();
        lanes.sort();
        lanes.dedup();
        lanes
    }

    /// What `lane` does next. A collection that is returned is running until its page is reported.
    pub fn next(&mut self, lane: &str, now: Moment) -> Next {
        let mut earliest: Option<Moment> = None;
        let mut is_blocked = false;
        let mut pick = None;
        let mut running = 0;
        for (index, entry) in self.entries.iter().enumerate() {
            if entry.plan.lane != lane || self.is_over(entry) {
                continue;
            }
            if entry.running {
                running += 1;
                is_blocked = true;
                if running >= entry.plan.abreast {
                    return Next::Blocked;
                }
            } else if self.waits_for_another(entry) {
                is_blocked = true;
            } else if entry.due > now {
                earliest = Some(earliest.map_or(entry.due, |held| held.min(entry.due)));
            } else {
                pick = pick.or(Some(index));
            }
        }
        match (pick, earliest) {
            (Some(index), _) => {
                self.entries[index].running = true;
                Next::Run(self.entries[index].plan.name.clone())
            }
            (None, Some(earliest)) => Next::Wait(earliest),
            (None, None) if is_blocked => Next::Blocked,
            (None, None) => Next::Done,
        }
    }

    /// A page of `records` was committed; `is_last` when it ended its pass.
    pub fn page_done(&mut self, name: &str, records: u64, is_last: bool, now: Moment) {
        let mode = self.mode;
        let Some(entry) = self.entry(name) else { return };
        entry.running = false;
        entry.off = false;
        entry.records_in_pass += records;
        entry.due = now;
        if is_last {
            entry.quiet_passes = if entry.records_in_pass == 0 {
                entry.quiet_passes + 1
            } else {
                0
            };
            entry.records_in_pass = 0;
            entry.has_completed = true;
            entry.done_in_this_run = true;
            entry.due = now + wait_after_pass(mode, entry);
        }
    }

    /// The collection could not be read just now: not again before `until`.
    pub fn postpone(&mut self, name: &str, until: Moment) {
        if let Some(entry) = self.entry(name) {
            entry.running = false;
            entry.due = until;
        }
    }

    /// The account does not have the collection, or may not read it: others do not wait for it; tried again at `until`.
    pub fn switch_off(&mut self, name: &str, until: Moment) {
        if let Some(entry) = self.entry(name) {
            entry.off = true;
        }
        self.postpone(name, until);
    }

    /// When the collection is due.
    pub fn due(&self, name: &str) -> Option<Moment> {
        self.entries
            .iter()
            .find(|entry| entry.plan.name == name)
            .map(|entry| entry.due)
    }

    /// Claims that nothing will ever be due again: a single pass is over.
    pub fn is_done(&self) -> bool {
        self.entries.iter().all(|entry| !entry.running && self.is_over(entry))
    }

    fn is_over(&self, entry: &Entry) -> bool {
        self.mode == Mode::Once && (entry.done_in_this_run || entry.off)
    }

    fn waits_for_another(&self, entry: &Entry) -> bool {
        let is_open = |name: &String| {
            let held = self.entries.iter().find(|other| other.plan.name == *name);
            held.is_some_and(|other| !other.has_completed && !other.off)
        };
        // What has completed once was allowed to begin; a later failure of the others does not stop it.
        !entry.has_completed && entry.plan.after.iter().any(is_open)
    }

    fn entry(&mut self, name: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.plan.name == name)
    }
}

impl From<Plan> for Entry {
    fn from(plan: Plan) -> Self {
        Self {
            plan,
            has_completed: false,
            done_in_this_run: false,
            off: false,
            running: false,
            due: Moment::ZERO,
            quiet_passes: 0,
            records_in_pass: 0,
        }
    }
}

fn by_rank(a: &Entry, b: &Entry) -> Ordering {
    (a.plan.rank, &a.plan.name).cmp(&(b.plan.rank, &b.plan.name))
}

fn wait_after_pass(mode: Mode, entry: &Entry) -> Duration {
    match mode {
        Mode::Continuous { fastest, slowest } if entry.plan.is_pollable => {
            fastest.saturating_mul(1 << entry.quiet_passes.min(16)).min(slowest)
        }
        _ => entry.plan.interval,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn plan(name: &str, lane: &str, rank: u32, after: &[&str]) -> Plan {
        Plan {
            name: name.into(),
            lane: lane.into(),
            abreast: 1,
            rank,
            after: after.iter().map(|name| (*name).into()).collect(),
            interval: 30 * MINUTE,
            is_pollable: true,
        }
    }

    fn schedule(mode: Mode) -> Schedule {
        Schedule::new(
            mode,
            vec![
                plan("tickets", "exports", 9, &["users", "ticket_fields"]),
                plan("organizations", "exports", 2, &[]),
                plan("users", "users", 1, &[]),
                plan("ticket_fields", "lists", 0, &[]),
            ],
        )
    }

    fn run(name: &str) -> Next {
        Next::Run(name.into())
    }

    #[test]
    fn tickets_begin_after_the_first_complete_pass_over_users() {
        let mut schedule = schedule(Mode::Interval);
        let now = MINUTE;
        assert_eq!(schedule.next("exports", now), run("organizations"));
        assert_eq!(schedule.next("exports", now), Next::Blocked, "one page at a time");
        schedule.page_done("organizations", 5, true, now);
        assert_eq!(
            schedule.next("exports", now),
            Next::Wait(31 * MINUTE),
            "organizations again, tickets not yet"
        );
        assert_eq!(schedule.next("users", now), run("users"));
        schedule.page_done("users", 1_000, false, now);
        assert_eq!(schedule.next("users", now), run("users"));
        schedule.page_done("users", 10, true, now);
        assert_eq!(
            schedule.next("exports", now),
            Next::Wait(31 * MINUTE),
            "ticket_fields are missing"
        );
        schedule.switch_off("ticket_fields", 1_440 * MINUTE);
        assert_eq!(schedule.next("exports", now), run("tickets"));
    }

    #[test]
    fn a_single_pass_ends_and_a_restart_finishes_what_was_begun() {
        let mut schedule = schedule(Mode::Once);
        let now = 100 * MINUTE;
        schedule.resume("users", Some(99 * MINUTE), false);
        for (lane, name) in [
            ("users", "users"),
            ("lists", "ticket_fields"),
            ("exports", "organizations"),
            ("exports", "tickets"),
        ] {
            assert_eq!(schedule.next(lane, now), run(name));
            assert!(!schedule.is_done());
            schedule.page_done(name, 1, true, now);
        }
        assert!(schedule.is_done());
        assert_eq!(schedule.next("exports", now), Next::Done);

        let mut resumed = self::schedule(Mode::Interval);
        resumed.resume("users", Some(99 * MINUTE), false);
        assert_eq!(resumed.next("users", now), Next::Wait(129 * MINUTE));
        resumed.resume("users", Some(99 * MINUTE), true);
        assert_eq!(resumed.next("users", now), run("users"));
    }

    #[test]
    fn a_failing_collection_does_not_hold_up_its_lane() {
        let mut schedule = schedule(Mode::Interval);
        schedule.resume("users", Some(MINUTE), false);
        schedule.resume("ticket_fields", Some(MINUTE), false);
        assert_eq!(schedule.next("exports", MINUTE), run("organizations"));
        schedule.postpone("organizations", 2 * MINUTE);
        assert_eq!(schedule.next("exports", MINUTE), run("tickets"));
        schedule.page_done("tickets", 1_000, false, MINUTE);
        assert_eq!(
            schedule.next("exports", 2 * MINUTE),
            run("organizations"),
            "by rank, between two pages"
        );
    }

    #[test]
    fn a_wide_lane_reads_several_collections_at_once_but_one_page_of_each() {
        let wide = |name: &str, rank| Plan {
            abreast: 2,
            ..plan(name, "lists", rank, &[])
        };
        let mut schedule = Schedule::new(Mode::Once, vec![wide("a", 0), wide("b", 1), wide("c", 2)]);
        assert_eq!(schedule.next("lists", MINUTE), run("a"));
        assert_eq!(schedule.next("lists", MINUTE), run("b"));
        assert_eq!(schedule.next("lists", MINUTE), Next::Blocked);
        schedule.page_done("b", 1, false, MINUTE);
        assert_eq!(schedule.next("lists", MINUTE), run("b"), "by rank");
        schedule.page_done("b", 1, true, MINUTE);
        assert_eq!(schedule.next("lists", MINUTE), run("c"));
        schedule.page_done("c", 1, true, MINUTE);
        assert_eq!(schedule.next("lists", MINUTE), Next::Blocked, "`a` is under way");
        schedule.page_done("a", 1, true, MINUTE);
        assert!(schedule.is_done());
    }

    #[test]
    fn what_is_added_runs_behind_the_others_until_it_is_taken_away() {
        let mut schedule = schedule(Mode::Once);
        schedule.resume("users", Some(MINUTE), false);
        schedule.add(plan("the past", "users", 100, &[]));
        assert_eq!(schedule.next("users", MINUTE), run("users"), "live first");
        schedule.page_done("users", 5, true, MINUTE);
        assert_eq!(schedule.next("users", MINUTE), run("the past"));
        schedule.page_done("the past", 5, false, MINUTE);
        assert_eq!(schedule.next("users", MINUTE), run("the past"));
        schedule.remove("the past");
        assert_eq!(schedule.next("users", MINUTE), Next::Done);
    }

    #[test]
    fn a_quiet_account_is_polled_ever_less_often() {
        let mode = Mode::Continuous {
            fastest: Duration::from_secs(10),
            slowest: MINUTE,
        };
        let mut schedule = schedule(mode);
        let mut now = MINUTE;
        let mut waits = Vec::new();
        for records in [3, 0, 0, 0, 0, 7] {
            assert_eq!(schedule.next("users", now), run("users"));
            schedule.page_done("users", records, true, now);
            let due = schedule.due("users").expect("it is planned");
            waits.push((due - now).as_secs());
            now = due;
        }
        assert_eq!(waits, [10, 20, 40, 60, 60, 10]);
    }
}
