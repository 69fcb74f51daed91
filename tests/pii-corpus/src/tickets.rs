//! Tickets in which people are named whom the source knows.

use fastrand::Rng;
use zenfloe_pii::Identifier;

/// A person.
#[derive(Debug, Clone)]
pub struct Who {
    /// The name, as the profile has it.
    pub name: String,
    /// In E.164.
    pub phone: String,
    /// The address.
    pub email: String,
}

/// A text and what has to be gone from it.
#[derive(Debug)]
pub struct Ticket {
    /// The text.
    pub text: String,
    /// Where a person is named, in its order.
    pub named: Vec<std::ops::Range<usize>>,
}

impl Who {
    /// What of a person is learnt.
    pub fn identifiers(&self) -> [(Identifier, &str); 3] {
        [
            (Identifier::Name, &self.name),
            (Identifier::Phone, &self.phone),
            (Identifier::Email, &self.email),
        ]
    }
}

const GIVEN: &[&str] = &[
    "Ann",
    "Mary-Jane",
    "Jörg",
    "José",
    "Łukasz",
    "Zoë",
    "Seán",
    "Will",
    "Grace",
    "Mark",
    "April",
    "Priya",
    "Wei",
    "Fatima",
    "Olga",
    "Søren",
    "François",
    "Anaïs",
    "Björn",
    "Chloé",
    "Dmitri",
    "Emeka",
    "Giulia",
    "Hiroshi",
    "Ingrid",
    "João",
    "Kofi",
    "Lars",
    "Mehmet",
    "Noor",
    "Oluwaseun",
    "Petra",
    "Quentin",
    "Rosa",
    "Sanjay",
    "Tomáš",
    "Ursula",
    "Vikram",
    "Xiomara",
    "Yusuf",
];

const SYLLABLES: &[&str] = &[
    "an", "ber", "cha", "del", "er", "fan", "gar", "hol", "is", "jor", "kal", "lin", "mar", "nov", "os", "pet",
];

const FAMILY: &[&str] = &[
    "{}son",
    "O'{}",
    "Mc{}",
    "{}-Lee",
    "van der {}",
    "{}",
    "{}ová",
    "Al-{}",
    "de {}",
    "Mü{}",
];

/// So many people, each with a name of their own.
#[must_use]
pub fn people(count: u32) -> Vec<Who> {
    (0..count).map(person).collect()
}

fn person(index: u32) -> Who {
    let mut number = index;
    let mut root = String::new();
    for _ in 0..5 {
        root.push_str(SYLLABLES[number as usize % SYLLABLES.len()]);
        number /= 16;
    }
    let root = format!("{}{}", root[..1].to_uppercase(), &root[1..]);
    let family = FAMILY[index as usize % FAMILY.len()].replace("{}", &root);
    let given = GIVEN[(index / 7) as usize % GIVEN.len()];
    Who {
        name: format!("{given} {family}"),
        phone: format!("+1{}{:07}", 202 + index / 300_000, 2_000_000 + index % 300_000 * 17),
        email: format!("{}.{index}@mail.example", root.to_lowercase()),
    }
}

const FRAMES: &[(&str, &str)] = &[
    ("I spoke to ", " on Friday about the invoice."),
    ("Hello,\nthe parcel is for ", ", please call.\nRegards"),
    ("<p>Please ask <b>", "</b> instead.</p>"),
    ("> On Monday ", " wrote:\n> it does not work"),
    ("{\"customer\": \"", "\", \"order\": 5}"),
    ("cc: ", "; the others know."),
    ("(", ") was here"),
    ("Kind regards\n", "\nHead of Purchasing"),
];

/// Texts, each naming one of the people in one of the forms in which people are named.
#[must_use]
pub fn tickets(seed: u64, people: &[Who], count: usize) -> Vec<Ticket> {
    let mut rng = Rng::with_seed(seed);
    let mut make = |_| {
        let who = &people[rng.usize(..people.len())];
        ticket(&mut rng, who)
    };
    (0..count).map(&mut make).collect()
}

fn ticket(rng: &mut Rng, who: &Who) -> Ticket {
    let (before, after) = FRAMES[rng.usize(..FRAMES.len())];
    let value = form(rng, who);
    let start = before.len();
    Ticket {
        text: format!("{before}{value}{after}"),
        named: std::iter::once(start..start + value.len()).collect(),
    }
}

/// A name or number as somebody writes it.
fn form(rng: &mut Rng, who: &Who) -> String {
    match rng.u8(..10) {
        0 => who.name.to_uppercase(),
        1 => who.name.to_lowercase(),
        2 => bare(&who.name),
        3 => turned(&who.name),
        4 => who.name.replace(' ', "\u{a0}"),
        5 => who.name.replace('\'', "’").replace('-', " "),
        6 => who.phone.trim_start_matches("+1").to_owned(),
        7 => who.email.to_uppercase(),
        _ => who.name.clone(),
    }
}

/// Without marks.
fn bare(name: &str) -> String {
    let plain = [
        ('ö', 'o'),
        ('é', 'e'),
        ('Ł', 'L'),
        ('ë', 'e'),
        ('á', 'a'),
        ('ø', 'o'),
        ('ç', 'c'),
        ('ï', 'i'),
        ('ã', 'a'),
        ('ü', 'u'),
        ('š', 's'),
    ];
    let bare = |c: char| {
        plain
            .iter()
            .find(|(marked, _)| *marked == c)
            .map_or(c, |(_, bare)| *bare)
    };
    name.chars().map(bare).collect()
}

/// `Lee, Ann`, where the name has two words.
fn turned(name: &str) -> String {
    match name.split([' ', '-', '\'']).collect::<Vec<_>>()[..] {
        [given, family] => format!("{family}, {given}"),
        _ => name.to_owned(),
    }
}
