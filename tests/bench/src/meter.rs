//! CPU time and clocks.

use std::time::{Duration, Instant};

/// The kernel's unit of CPU time in `/proc`: 100 per second on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

/// CPU time that this thread has used, as the scheduler counts it: a busy machine does not count. The wall's clock
/// where the system does not tell.
pub(crate) fn of_thread(started: Instant) -> Duration {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let spent = told.and_then(|line| line.split(' ').next()?.parse().ok());
    spent.map_or_else(|| started.elapsed(), Duration::from_nanos)
}

/// What `/proc/<pid>/stat` says: the parent, and user and system time of all threads.
fn stat(pid: &str) -> Option<(u32, Duration)> {
    let line = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let fields: Vec<&str> = line.rsplit_once(") ")?.1.split(' ').collect();
    let ticks = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
    Some((fields.get(1)?.parse().ok()?, TICK * ticks))
}

/// CPU time of this process so far.
fn of_this_process() -> Duration {
    stat("self").map_or(Duration::ZERO, |(_, cpu)| cpu)
}

/// CPU time of the living children of a process: of PostgreSQL's sessions and writers.
fn of_children(parent: u32) -> Duration {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| stat(entry.file_name().to_str()?))
        .filter(|(held, _)| *held == parent)
        .map(|(_, cpu)| cpu)
        .sum()
}

/// Time that pieces of work took together.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Spent {
    /// CPU time of this process.
    pub(crate) client: Duration,
    /// CPU time of the database server.
    pub(crate) server: Duration,
    /// By the wall's clock.
    pub(crate) wall: Duration,
}

impl Spent {
    /// CPU time of both sides.
    pub(crate) fn cpu(&self) -> Duration {
        self.client + self.server
    }
}

/// Times pieces of work; what happens between them does not count.
pub(crate) struct Watch {
    server: Option<u32>,
    spent: Spent,
}

impl Watch {
    /// `server`: the first process of a database server whose sessions' time counts as well.
    pub(crate) fn new(server: Option<u32>) -> Self {
        Self {
            server,
            spent: Spent::default(),
        }
    }

    /// Times one piece.
    pub(crate) async fn time<T>(&mut self, work: impl Future<Output = T>) -> T {
        let server = |held: Option<u32>| held.map_or(Duration::ZERO, of_children);
        let (client_before, server_before, began) = (of_this_process(), server(self.server), Instant::now());
        let done = work.await;
        self.spent.wall += began.elapsed();
        self.spent.client += of_this_process().saturating_sub(client_before);
        self.spent.server += server(self.server).saturating_sub(server_before);
        done
    }

    /// The sum.
    pub(crate) fn spent(&self) -> Spent {
        self.spent
    }
}

/// The middle one; of none, 0.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Bytes as MB, rounded.
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{} MB", (bytes + (1 << 19)) >> 20)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_watch_counts_work_and_not_what_lies_between() {
        let mut watch = Watch::new(Some(std::process::id()));
        let (began, pause) = (Instant::now(), Duration::from_millis(30));
        for _ in 0..2 {
            // A bare sleep would count from here, not from its first poll.
            watch.time(async { tokio::time::sleep(pause).await }).await;
            tokio::time::sleep(pause).await;
        }
        // However late a busy machine wakes a sleeper, the pauses between are not in the sum.
        let wall = watch.spent().wall;
        assert!(wall >= 2 * pause && began.elapsed() - wall >= 2 * pause, "{wall:?}");
    }

    #[test]
    fn the_middle_is_the_middle() {
        assert_eq!(median(vec![3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(Vec::new()), 0.0);
    }
}
