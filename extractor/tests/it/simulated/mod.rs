//! The stage with its API client over HTTP, against a simulated account.

mod faults;
mod kills;
mod limits;
mod line;
mod proof;
mod sign_in;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use bytesize::ByteSize;
use line::Line;
use zendesk_sim::{AccountSpec, Clock as DeskClock, Credentials, Op, SimConfig, Simulator};
use zenfloe_extractor::{Drained, StageError};
use zenfloe_zendesk::{Auth, Client, Clock, Config, Secret};

use crate::Bench;

/// A simulated account and the extractor that reads it.
struct Desk {
    simulator: Simulator,
    bench: Bench,
    secrets: tempfile::TempDir,
    /// Rows on a page of an export.
    page: u32,
}

/// When the accounts of these tests begin, where their time is moved by hand.
const BEGINNING: i64 = 1_790_000_000;
/// Events of side conversations are left alone for five minutes, all else for one.
const SETTLES: Duration = Duration::from_secs(370);
/// Our own time, in waits, runs so much faster.
const SPEED: f64 = 1_000.0;

/// An account whose time stands still until it is moved.
fn still(tickets: u32, seed: u64) -> SimConfig {
    SimConfig {
        spec: AccountSpec {
            clock: DeskClock::manual(BEGINNING),
            ..AccountSpec::sized(tickets, seed)
        },
        ..SimConfig::default()
    }
}

/// An account whose time runs `speed` times as fast as the machine's.
fn fast(tickets: u32, seed: u64, speed: f64) -> SimConfig {
    SimConfig {
        spec: AccountSpec {
            clock: DeskClock::scaled(speed),
            ..AccountSpec::sized(tickets, seed)
        },
        ..SimConfig::default()
    }
}

impl Desk {
    /// Starts the account; our clock shows its time and runs `speed` times as fast as the machine's.
    fn start(config: SimConfig, speed: f64) -> Self {
        let simulator = Simulator::start(config).expect("a free port");
        let now = simulator.with_account(|account| account.clock().now_ms());
        let mut bench = Bench::new();
        bench.clock = Clock::scaled(Duration::from_millis(now.unsigned_abs()), speed);
        // The accounts are small: a few random changes are a large share of them.
        let lists = [
            "group_memberships",
            "organization_memberships",
            "ticket_fields",
            "organization_fields",
        ];
        bench.config.accept_shrunk.extend(lists.map(str::to_owned));
        let secrets = tempfile::tempdir().expect("a temporary folder");
        for secret in [Credentials::TOKEN, Credentials::CLIENT_SECRET] {
            std::fs::write(secrets.path().join(secret), secret).expect("writable");
        }
        Self {
            simulator,
            bench,
            secrets,
            page: 100,
        }
    }

    fn secret(&self, secret: &str) -> Secret {
        Secret::File(self.secrets.path().join(secret))
    }

    fn api_token(&self) -> Auth {
        Auth::ApiToken {
            email: Credentials::EMAIL.into(),
            token: self.secret(Credentials::TOKEN),
        }
    }

    fn oauth(&self) -> Auth {
        Auth::OauthClient {
            client_id: Credentials::CLIENT_ID.into(),
            client_secret: self.secret(Credentials::CLIENT_SECRET),
            scope: "read".into(),
        }
    }

    fn line(&self, auth: Auth) -> Arc<Line> {
        let config = Config {
            subdomain: "acme".into(),
            base_url: Some(self.simulator.url().to_owned()),
            auth,
            timeout: Duration::from_secs(20),
            max_response: ByteSize::mib(8),
        };
        let client = Client::new(&config, self.bench.clock.clone()).expect("a good configuration");
        Arc::new(Line::new(client, self.page))
    }

    /// One complete pass, undisturbed by us.
    async fn pass(&self) -> Drained {
        self.try_pass(self.api_token()).await.expect("a pass")
    }

    async fn try_pass(&self, auth: Auth) -> Result<Drained, StageError> {
        self.bench.once(self.line(auth)).await
    }

    /// Random changes, and time enough that all of them have settled.
    fn change(&self, count: usize, seed: u64) -> Vec<Op> {
        let changes = self.simulator.apply_random(count, seed);
        self.settle();
        changes
    }

    fn settle(&self) {
        assert!(self.simulator.advance(SETTLES), "a clock that is moved by hand");
    }
}
