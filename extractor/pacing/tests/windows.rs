//! The budget against simulated servers: fixed and sliding windows, slow answers, other clients, restarts.

use std::time::Duration;

use proptest::prelude::*;
use zenfloe_pacing::{Budget, Moment, Reading, Rules};

const MINUTE: Duration = Duration::from_secs(60);

/// How a server counts.
#[derive(Debug, Clone, Copy)]
enum Windows {
    /// Every minute begins anew, `offset` after the full minute.
    Fixed { offset: Duration },
    /// The minute before each request counts.
    Sliding,
}

struct Server {
    limit: u32,
    windows: Windows,
    arrivals: Vec<Moment>,
    refused: u32,
}

impl Server {
    fn new(limit: u32, windows: Windows) -> Self {
        Self {
            limit,
            windows,
            arrivals: Vec::new(),
            refused: 0,
        }
    }

    fn window_start(&self, now: Moment) -> Moment {
        match self.windows {
            Windows::Sliding => now.saturating_sub(MINUTE),
            Windows::Fixed { offset } => {
                let since = (now + MINUTE - offset).as_micros() % MINUTE.as_micros();
                now - Duration::from_micros(u64::try_from(since).expect("less than a minute"))
            }
        }
    }

    fn counted(&self, now: Moment) -> u32 {
        let start = self.window_start(now);
        let counts = |at: &&Moment| match self.windows {
            Windows::Sliding => **at > start,
            Windows::Fixed { .. } => **at >= start,
        };
        self.arrivals.iter().filter(counts).count() as u32
    }

    /// Another client of the account; it stops at the limit.
    fn foreign(&mut self, now: Moment) {
        if self.counted(now) < self.limit {
            self.arrivals.push(now);
        }
    }

    fn request(&mut self, bucket: &str, now: Moment) -> Vec<Reading> {
        if self.counted(now) >= self.limit {
            self.refused += 1;
        } else {
            self.arrivals.push(now);
        }
        let resets = match self.windows {
            Windows::Sliding => MINUTE,
            Windows::Fixed { .. } => self.window_start(now) + MINUTE - now,
        };
        vec![Reading {
            bucket: bucket.into(),
            total: Some(self.limit),
            remaining: Some(self.limit - self.counted(now).min(self.limit)),
            // Rounded down, as a careless server would.
            resets: Some(Duration::from_secs(resets.as_secs())),
        }]
    }
}

/// Sends `requests` one after another and returns the time of the last one's sending.
fn send(
    budget: &mut Budget,
    server: &mut Server,
    bucket: &str,
    requests: usize,
    start: Moment,
    latencies: &[(u64, u64)],
) -> Moment {
    let mut now = start;
    let mut last = start;
    for index in 0..requests {
        let leave = loop {
            match budget.take(&[bucket], now) {
                Ok(leave) => break leave,
                Err(until) => {
                    assert!(until > now, "a wait goes forward");
                    now = until;
                }
            }
        };
        last = now;
        let (there, back) = latencies[index % latencies.len()];
        now += Duration::from_micros(there);
        let readings = server.request(bucket, now);
        now += Duration::from_micros(back);
        budget.answered(leave, &readings, now);
    }
    last
}

fn windows() -> impl Strategy<Value = Windows> {
    prop_oneof![
        Just(Windows::Sliding),
        (0..60_000_000_u64).prop_map(|offset| Windows::Fixed {
            offset: Duration::from_micros(offset)
        }),
    ]
}

fn latencies() -> impl Strategy<Value = Vec<(u64, u64)>> {
    proptest::collection::vec((1..20_000_000_u64, 1..20_000_000_u64), 1..20)
}

#[test]
fn thirty_three_pages_take_exactly_the_floor() {
    for windows in [
        Windows::Sliding,
        Windows::Fixed {
            offset: Duration::from_secs(17),
        },
    ] {
        let start = Duration::from_secs(1_791_532_660);
        let mut server = Server::new(10, windows);
        let mut budget = Budget::new(Rules::default());
        let last = send(&mut budget, &mut server, "incremental-exports", 33, start, &[(0, 0)]);
        assert_eq!(last - start, Duration::from_secs(180), "{windows:?}");
        assert_eq!(server.refused, 0, "{windows:?}");
    }
}

#[test]
fn the_high_volume_limit_is_learned_from_the_first_answer() {
    let start = Duration::from_secs(1_791_532_660);
    let mut server = Server::new(30, Windows::Sliding);
    let mut budget = Budget::new(Rules::default());
    let last = send(&mut budget, &mut server, "incremental-exports", 61, start, &[(0, 0)]);
    assert_eq!(last - start, Duration::from_secs(120));
    assert_eq!(server.refused, 0);
}

#[test]
fn the_cap_and_the_headroom_bound_the_account() {
    for (limit, cap, headroom, share) in [
        (700, 200, 0.2, 200),
        (200, 200, 0.2, 160),
        (400, 1_000, 0.25, 300),
        (10, 200, 0.2, 8),
        (1, 200, 0.9, 1),
    ] {
        let start = Duration::from_secs(1_791_532_660);
        let mut server = Server::new(limit, Windows::Sliding);
        let mut budget = Budget::new(Rules {
            account_cap: cap,
            headroom,
        });
        send(&mut budget, &mut server, "account", 1, start, &[(0, 0)]);
        assert_eq!(
            budget.share("account"),
            share,
            "limit {limit}, cap {cap}, headroom {headroom}"
        );
    }
}

#[test]
fn a_block_is_waited_for_and_ends() {
    let mut budget = Budget::new(Rules::default());
    let now = Duration::from_secs(1_000);
    budget.block(&["account"], now + MINUTE);
    assert_eq!(
        budget.take(&["incremental-exports", "account"], now).err(),
        Some(now + MINUTE)
    );
    assert!(budget.take(&["incremental-exports", "account"], now + MINUTE).is_ok());
}

proptest! {
    #[test]
    fn no_server_ever_refuses_us(windows in windows(), limit in 1..40_u32, latencies in latencies(), requests in 1..150_usize) {
        let mut server = Server::new(limit, windows);
        let mut budget = Budget::new(Rules::default());
        // The first answer tells the limit; before it there is one request.
        send(&mut budget, &mut server, "incremental-exports", requests, 100 * MINUTE, &latencies);
        prop_assert_eq!(server.refused, 0);
    }

    #[test]
    fn a_restart_at_any_request_is_not_refused(
        windows in windows(), latencies in latencies(), before in 1..40_usize, pause in 0..120_u64,
    ) {
        let mut server = Server::new(10, windows);
        let mut budget = Budget::new(Rules::default());
        let last = send(&mut budget, &mut server, "incremental-exports", before, 100 * MINUTE, &latencies);
        let kept = serde_json::to_vec(&budget.snapshot()).expect("a snapshot serialises");
        // One more request left before the process ended and its answer was never seen; none where the
        // window was full.
        let mut now = last + Duration::from_secs(40);
        if budget.take(&["incremental-exports"], now).is_ok() {
            server.request("incremental-exports", now);
        }
        now += Duration::from_secs(pause);
        let mut restarted = Budget::new(Rules::default());
        restarted.restore(&serde_json::from_slice(&kept).expect("and is read back"), now);
        send(&mut restarted, &mut server, "incremental-exports", 30, now, &latencies);
        prop_assert_eq!(server.refused, 0);
    }

    #[test]
    fn with_other_clients_we_go_on_and_are_refused_at_most_once_a_window(
        windows in windows(), foreign in proptest::collection::vec(0..300_u64, 0..60),
    ) {
        let mut server = Server::new(10, windows);
        let mut budget = Budget::new(Rules::default());
        let start = 100 * MINUTE;
        let mut foreign: Vec<_> = foreign.into_iter().map(|second| start + Duration::from_secs(second)).collect();
        foreign.sort();
        let mut now = start;
        let mut sent = 0;
        while now < start + 5 * MINUTE {
            while foreign.first().is_some_and(|at| *at <= now) {
                let at = foreign.remove(0);
                server.foreign(at);
            }
            match budget.take(&["incremental-exports"], now) {
                Ok(leave) => {
                    let refused = server.refused;
                    let readings = server.request("incremental-exports", now);
                    budget.answered(leave, &readings, now);
                    if server.refused > refused {
                        let asked = readings[0].resets.expect("the server always says");
                        budget.block(&["incremental-exports"], now + asked + Duration::from_secs(1));
                    }
                    sent += 1;
                    now += Duration::from_millis(100);
                }
                Err(_) => now += Duration::from_millis(500),
            }
        }
        prop_assert!(sent >= 5, "{sent} sent");
        prop_assert!(server.refused <= 6, "{} refused", server.refused);
    }
}
