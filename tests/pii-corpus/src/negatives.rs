//! What looks personal and is not.

use fastrand::Rng;

/// A text that holds nothing personal, and the sort it is of.
#[derive(Debug)]
pub struct Negative {
    /// `order`, `tracking` …
    pub sort: &'static str,
    /// The text.
    pub text: String,
}

/// Sentences of words that are names as well.
const WORDS: &[&str] = &[
    "It may rain in May, and it will in June.",
    "Will it work? Mark the row and grant access.",
    "Bill the client and chase the payment.",
    "We hope for the best; faith alone does not help.",
    "The rose, the lily and the iris are sold out.",
    "Jack of all trades, master of none.",
    "Our summer price is lower than in April.",
    "The green field near the hill is short.",
    "Please page the long list and drew the line.",
    "The dean and the king were not amused.",
    "Pat the dog, rob no bank.",
    "An amber light means the drive is in use.",
    "Sue was not the word that I would pick.",
    "Ruby and Pearl are languages, Go is another.",
    "The art of the deal is patience.",
    "Grace period ends in August.",
];

const PRODUCTS: &[&str] = &[
    "Galaxy Tab S9 FE 128",
    "ThinkPad X1 Carbon Gen 11",
    "iPhone 15 Pro Max",
    "Model 3 Performance",
    "WH-1000XM5",
    "RTX 4090 24 GB",
    "PlayStation 5 Digital",
    "Pixel 8a",
    "Surface Laptop Studio 2",
    "Windows 11 Home",
    "Series 7 Smart TV 55",
    "Air Max 90",
    "Office 365 E3",
    "Ryzen 9 7950X3D",
    "Kindle Paperwhite 11",
    "Core i9-14900K",
];

/// At least `count` texts, as many of each sort.
#[must_use]
pub fn negatives(seed: u64, count: usize) -> Vec<Negative> {
    let mut rng = Rng::with_seed(seed);
    let mut all = Vec::new();
    while all.len() < count {
        all.extend(SORTS.iter().map(|(sort, make)| Negative {
            sort,
            text: make(&mut rng),
        }));
    }
    all
}

type Sort = (&'static str, fn(&mut Rng) -> String);

const SORTS: &[Sort] = &[
    ("order", |r| format!("Order {} has not arrived", digits(r, 10))),
    ("order", |r| {
        format!("order no. {}-{}-{} was split", digits(r, 3), digits(r, 7), digits(r, 7))
    }),
    ("order", |r| format!("PO {} / line {}", digits(r, 8), digits(r, 2))),
    ("ticket", |r| {
        format!("Ticket #{} was merged into #{}", digits(r, 6), digits(r, 7))
    }),
    ("ticket", |r| {
        format!("see request {} and case {}", digits(r, 9), digits(r, 8))
    }),
    ("id", |r| {
        format!("the field 360{} of form 39{}", digits(r, 9), digits(r, 12))
    }),
    ("tracking", |r| format!("parcel {} is late", digits(r, 20))),
    ("tracking", |r| {
        format!("UPS 1Z{}{}", letters(r, 3), digits(r, 10) + &digits(r, 3))
    }),
    ("tracking", |r| {
        format!("tracking number {}{}{}", letters(r, 2), digits(r, 9), letters(r, 2))
    }),
    ("time", |r| {
        format!("at {} {:02}:{:02}:{:02}", date(r), r.u8(..24), r.u8(..60), r.u8(..60))
    }),
    ("time", |r| {
        format!(
            "epoch {} or {}",
            1_600_000_000 + r.u64(..200_000_000),
            1_600_000_000_000 + r.u64(..200_000_000_000)
        )
    }),
    ("time", |r| {
        format!(
            "delivered on {:02}.{:02}.20{:02}, not {}/{}/20{:02}",
            r.u8(1..29),
            r.u8(1..13),
            r.u8(10..27),
            r.u8(1..13),
            r.u8(1..29),
            r.u8(10..27)
        )
    }),
    ("sku", |r| {
        format!("SKU {}-{}-{}", digits(r, 4), digits(r, 3), letters(r, 1))
    }),
    ("sku", |r| {
        format!("part {}{}-{}", letters(r, 3), digits(r, 5), digits(r, 2))
    }),
    ("version", |r| {
        format!("version {}.{}.{}.{}", r.u8(..20), r.u8(..99), r.u8(..99), r.u16(..999))
    }),
    ("version", |r| {
        format!(
            "v{}.{}.{}-rc.{} build {}",
            r.u8(..20),
            r.u8(..99),
            r.u8(..99),
            r.u8(..9),
            digits(r, 8)
        )
    }),
    ("uuid", |r| format!("job {} is queued", uuid(r))),
    ("uuid", |r| format!("commit {:016x}{:016x}", r.u64(..), r.u64(..))),
    ("amount", |r| {
        format!(
            "it costs ${},{:03}.{:02}, not {} {:03} EUR",
            r.u8(1..99),
            r.u16(..1_000),
            r.u8(..100),
            r.u8(1..99),
            r.u16(..1_000)
        )
    }),
    ("amount", |r| {
        format!(
            "total {}.{:03},{:02} € for {} items",
            r.u8(1..99),
            r.u16(..1_000),
            r.u8(..100),
            r.u16(1..999)
        )
    }),
    ("product", |r| {
        format!("my {} is broken", PRODUCTS[r.usize(..PRODUCTS.len())])
    }),
    ("product", |r| {
        format!(
            "{} or {}?",
            PRODUCTS[r.usize(..PRODUCTS.len())],
            PRODUCTS[r.usize(..PRODUCTS.len())]
        )
    }),
    ("word", |r| WORDS[r.usize(..WORDS.len())].to_owned()),
    ("word", |r| {
        format!("{} {}", WORDS[r.usize(..WORDS.len())], WORDS[r.usize(..WORDS.len())])
    }),
    ("measure", |r| {
        format!(
            "room {}, floor {}, {}x{}x{} mm",
            digits(r, 3),
            r.u8(1..40),
            digits(r, 4),
            digits(r, 4),
            digits(r, 3)
        )
    }),
    ("measure", |r| {
        format!("row {} of {}, {} %", digits(r, 5), digits(r, 6), r.u8(..100))
    }),
    ("code", |r| {
        format!(
            "error 0x{:08X} in module_{}.rs:{}:{}",
            r.u32(..),
            r.u8(..99),
            digits(r, 3),
            r.u8(1..80)
        )
    }),
    ("code", |r| {
        format!(
            "ISBN 978-{}-{}-{}-{}",
            r.u8(..10),
            digits(r, 3),
            digits(r, 5),
            r.u8(..10)
        )
    }),
    ("page", |r| {
        format!("see https://docs.example.com/guide/{}/step-{}", digits(r, 4), r.u8(..9))
    }),
    ("page", |r| format!("logo@2x.png, @media, user@{} items", r.u8(2..99))),
];

fn digits(rng: &mut Rng, count: usize) -> String {
    let first = rng.u8(1..10);
    let rest = (1..count).map(|_| char::from(b'0' + rng.u8(..10)));
    std::iter::once(char::from(b'0' + first)).chain(rest).collect()
}

fn letters(rng: &mut Rng, count: usize) -> String {
    (0..count).map(|_| char::from(b'A' + rng.u8(..26))).collect()
}

fn date(rng: &mut Rng) -> String {
    format!("20{:02}-{:02}-{:02}", rng.u8(10..27), rng.u8(1..13), rng.u8(1..29))
}

fn uuid(rng: &mut Rng) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
        rng.u32(..),
        rng.u16(..),
        rng.u16(..4_096),
        rng.u16(..4_096),
        rng.u64(..1 << 48)
    )
}
