//! How long texts take; printed, never judged: `cargo test --release -p zenfloe-pii speed -- --nocapture`.

use std::hint::black_box;
use std::time::Instant;

use zenfloe_catalog::Class;
use zenfloe_pii::Guard;

use crate::privacy;

fn nanos(mut call: impl FnMut()) -> f64 {
    let calls = if cfg!(debug_assertions) { 200 } else { 20_000 };
    let mut run = || {
        let start = Instant::now();
        (0..calls).for_each(|_| call());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(calls)
    };
    run();
    (0..5).map(|_| run()).fold(f64::INFINITY, f64::min)
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
