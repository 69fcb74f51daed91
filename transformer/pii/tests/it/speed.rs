//! How long texts take; printed, never judged: `cargo test --release -p zenfloe-pii speed -- --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use zenfloe_catalog::Class;
use zenfloe_pii::Guard;

use crate::privacy;

/// Nanoseconds that this thread has computed: a busy machine does not count. The wall's clock where the system
/// does not tell.
fn cpu(started: Instant) -> u64 {
    let told = std::fs::read_to_string("/proc/thread-self/schedstat").ok();
    let spent = told.and_then(|line| line.split(' ').next()?.parse().ok());
    spent.unwrap_or_else(|| u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX))
}

/// Nanoseconds of one call: the middle of seven runs, each long enough for the system's clock of threads.
fn nanos(mut call: impl FnMut()) -> f64 {
    let started = Instant::now();
    let long = if cfg!(debug_assertions) { 2_000_000 } else { 60_000_000 };
    let mut run = |calls: u32| {
        let before = cpu(started);
        (0..calls).for_each(|_| call());
        cpu(started) - before
    };
    let mut calls = 1;
    while run(calls) < long && calls < 1 << 24 {
        calls *= 2;
    }
    let mut runs: Vec<u64> = (0..7).map(|_| run(calls)).collect();
    runs.sort_unstable();
    runs[3] as f64 / f64::from(calls)
}

#[test]
fn speed_of_values_and_texts() {
    let mut guard = privacy(&["US"]);
    let mut out = String::new();
    for (class, value) in [
        (Class::Email, "ann.lee@example.com"),
        (Class::Phone, "+12025550123"),
        (Class::Person, "Ann Lee"),
        (Class::ExternalId, "order-88-20417"),
    ] {
        let took = nanos(|| {
            out.clear();
            black_box(guard.token(class, black_box(value), &mut out));
        });
        println!("token of {:<12} {took:8.0} ns", class.as_str());
    }
    let plain = "I have tried it three times since Monday and the result is always the same. ".repeat(13);
    let numbers =
        "Order 88-20417 of 2026-01-31, total $1,249.50, parcel 00340434161094015902, version 4.11.2. ".repeat(11);
    let people = format!("{plain} ann@example.com +1 (202) 555-0123 203.0.113.77");
    let html = format!("<div><p>{}</p></div>", plain.replace("Monday", "<b>Monday</b>"));
    for (name, text) in [
        ("plain", &plain),
        ("numbers", &numbers),
        ("people", &people),
        ("html", &html),
    ] {
        let took = nanos(|| {
            out.clear();
            guard.redact(black_box(text), &mut out);
            black_box(&out);
        });
        println!("redacting {name:<8} {:5} bytes {took:8.0} ns", text.len());
    }
}
