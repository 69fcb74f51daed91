//! What people write: neutral sentences, and sentences that give people away.
//!
//! Invariant: a text is a function of its seed and the cast, so threads need no room in memory.

use fastrand::Rng;

use crate::cast::Cast;

const SUBJECTS: [&str; 12] = [
    "Order 88-20417 has not arrived",
    "Invoice shows the wrong amount",
    "Cannot sign in after the update",
    "Refund for the second parcel",
    "How do I export my data?",
    "App crashes when I open settings",
    "Change of the delivery date",
    "Question about the annual plan",
    "Discount code SPRING-2026 is refused",
    "Device keeps restarting (v4.11.2)",
    "Please close my trial",
    "Missing parts in set SKU 4410-228-B",
];

const SENTENCES: [&str; 20] = [
    "I have tried it three times since Monday and the result is always the same.",
    "The tracking page has been showing \"in transit\" for more than a week now.",
    "We are on version 4.11.2 of the desktop client, build 20260114.",
    "Could you please tell me what the next step is?",
    "The total was $1,249.50 and not $1,294.50 as the invoice says.",
    "My colleague had the same problem last year, it was fixed within a day.",
    "After the restart the settings were gone & I had to enter them again.",
    "Nothing in the documentation explains what error E-1047 means.",
    "The parcel with the number 00340434161094015902 was returned to you.",
    "We need this solved before the end of the quarter, ideally sooner.",
    "I attach a screenshot of the page <settings/billing> as you asked.",
    "It works in one browser, but not in the other two that we use.",
    "Thanks a lot for the quick answer, that was really helpful!",
    "The second item of the order was damaged, the first one is fine.",
    "Please send the confirmation to the address that you have on file.",
    "Our contract runs until 2027-03-31, so the price should not have changed.",
    "The export stops at row 65536 and the file cannot be opened.",
    "As far as I can see, the job e1b7c0de-5a1f-4c8b-9f6e-0d6f2f1a77aa is still queued.",
    "Kind regards and have a good week.",
    "I would rather not install anything new on this machine.",
];

/// Writes the texts of an account.
pub(crate) struct Prose<'a> {
    cast: &'a Cast,
    rng: Rng,
}

impl<'a> Prose<'a> {
    pub(crate) fn new(cast: &'a Cast, seed: u64) -> Self {
        Self {
            cast,
            rng: Rng::with_seed(crate::ids::mix(seed)),
        }
    }

    /// The line above a ticket.
    pub(crate) fn subject(&mut self) -> String {
        let subject = SUBJECTS[self.rng.usize(..SUBJECTS.len())];
        match self.rng.u8(..10) {
            0 => format!("{subject} ({})", self.cast.email(self.anyone())),
            1 => format!("{subject}, call {}", self.cast.spoken_phone(self.anyone())),
            2 => format!("{}: {subject}", self.cast.name(self.known())),
            _ => subject.to_owned(),
        }
    }

    /// A comment of 4 to 9 sentences, every second of which gives someone away.
    pub(crate) fn comment(&mut self) -> String {
        let sentences = self.rng.usize(4..10);
        let mut text = String::with_capacity(sentences * 75);
        let mut planted = self.rng.bool();
        for number in 0..sentences {
            if number > 0 {
                text.push_str(if self.rng.u8(..4) == 0 { "\n\n" } else { " " });
            }
            if planted && self.rng.u8(..3) == 0 {
                text.push_str(&self.giveaway());
                planted = self.rng.bool();
            } else {
                text.push_str(SENTENCES[self.rng.usize(..SENTENCES.len())]);
            }
        }
        if planted {
            text.push(' ');
            text.push_str(&self.giveaway());
        }
        text
    }

    /// A short remark that always holds someone's address and number.
    pub(crate) fn note(&mut self) -> String {
        let (one, other) = (self.anyone(), self.anyone());
        format!(
            "{} Reach them at {} or {}.",
            SENTENCES[self.rng.usize(..SENTENCES.len())],
            self.cast.email(one),
            self.cast.spoken_phone(other)
        )
    }

    /// One short value of a text field; now and then it is someone's.
    pub(crate) fn field(&mut self) -> String {
        match self.rng.u8(..12) {
            0 => self.cast.email(self.anyone()),
            1 => self.cast.spoken_phone(self.anyone()),
            2 => self.cast.ip(self.anyone()),
            3 => format!("SKU {}-{:03}", self.rng.u16(1_000..9_999), self.rng.u16(..999)),
            4 => "n/a".into(),
            _ => SUBJECTS[self.rng.usize(..SUBJECTS.len())].into(),
        }
    }

    fn giveaway(&mut self) -> String {
        let who = self.anyone();
        let cast = self.cast;
        match self.rng.u8(..13) {
            0 => format!("Please write to {} instead.", cast.email(who)),
            1 => format!("MAIL ME AT {} TODAY!", cast.email(who).to_uppercase()),
            2 => format!("You can call me on {} after five.", cast.spoken_phone(who)),
            3 => format!("My number is {}, any time.", cast.phone(who)),
            4 => format!("I paid with card {} last week.", cast.card(who)),
            5 => format!("Please refund to {}, thank you.", cast.iban(who)),
            6 => format!("The log says the request came from {} at noon.", cast.ip(who)),
            7 => format!("This link does not open: {} .", cast.url(who)),
            8 => format!("I spoke to {} about it on Friday.", cast.name(self.known())),
            9 => format!("Ship it to {}, Springfield.", cast.address(self.known())),
            10 => format!(
                "<p>Here: <a href=\"{}\">my page</a> &amp; {}</p>",
                cast.url(who).replace('&', "&amp;"),
                cast.email(who)
            ),
            11 => format!(
                "The request was {{\"from\":\"{}\",\"call\":\"{}\",\"as\":\"{}\"}}.",
                cast.email(who),
                cast.phone(who),
                json_escaped(&cast.name(self.known()))
            ),
            _ => format!("Copy {} and {}.", cast.second_email(who), cast.email(self.anyone())),
        }
    }

    fn anyone(&mut self) -> u32 {
        self.rng.u32(..self.cast.population.max(1))
    }

    /// One of those whom texts name.
    fn known(&mut self) -> u32 {
        let who = self.anyone();
        who - who % 4
    }
}

/// As programs paste it that write ASCII alone.
fn json_escaped(text: &str) -> String {
    let escape = |c: char| match c {
        c if c.is_ascii() => c.to_string(),
        c => format!("\\u{:04x}", u32::from(c)),
    };
    text.chars().map(escape).collect()
}
