//! People who were erased, in columns and texts, by marks alone.

use zenfloe_catalog::Class;
use zenfloe_keyring::{Marks, TokenKeys};
use zenfloe_pii::{Erased, Guard, Identifier, Phones, Privacy};
use zenfloe_record::SourceName;

fn with_erased(people: &[(Identifier, &str)]) -> Privacy {
    let source = SourceName::new("acme").expect("a legal name");
    let erased = Erased::new(Marks::new(&TokenKeys::generate(), &source));
    let phones = Phones::new(&["US"]).expect("a region");
    for (identifier, value) in people {
        erased.add(erased.marks_of(*identifier, value, &phones));
    }
    crate::privacy(&["US"]).with_erased(erased)
}

const ANN: [(Identifier, &str); 4] = [
    (Identifier::Name, "Änn Marie Léhto"),
    (Identifier::Email, "Ann@Example.com"),
    (Identifier::Phone, "(202) 555-0123"),
    (Identifier::Handle, "@annlehto"),
];

#[track_caller]
fn check(text: &str, expected: &str) {
    let mut out = String::new();
    with_erased(&ANN).redact(text, &mut out);
    assert_eq!(out, expected);
}

#[test]
fn texts_lose_them_whatever_they_are_spelt_like() {
    check("from ann marie lehto, hi", "from [erased], hi");
    check("ÄNN-MARIE LÉHTO", "[erased]");
    check("(Lehto, Ann Marie)", "([erased])");
    check("mail ann@example.com now", "mail [erased] now");
    check("mail <b>ANN</b>@example.com now", "mail <b>[erased] now");
    check("call 202.555.0123 or +1 202 555 0123", "call [erased] or [erased]");
    check("ask @annlehto!", "ask @[erased]!");
}

#[test]
fn others_stay() {
    check(
        "Ann Lehto and Marie Lehto came by bus 202",
        "Ann Lehto and Marie Lehto came by bus 202",
    );
    let mut out = String::new();
    with_erased(&ANN).redact("bob@example.com", &mut out);
    assert!(out.starts_with("[email:k1_"), "{out}");
}

#[test]
fn columns_become_null() {
    let mut privacy = with_erased(&ANN);
    let mut token = |class, value: &str| privacy.token(class, value, &mut String::new());
    assert!(!token(Class::Email, " ann@EXAMPLE.com"));
    assert!(!token(Class::Phone, "+12025550123"));
    assert!(!token(Class::Person, "änn  marie léhto"));
    assert!(token(Class::Email, "bob@example.com") && token(Class::Person, "Ann Lehto"));
}

#[test]
fn names_that_are_common_words_are_not_looked_for_in_texts() {
    let mut privacy = with_erased(&[(Identifier::Name, "Will"), (Identifier::Name, "")]);
    let mut out = String::new();
    privacy.redact("it will be fine", &mut out);
    assert_eq!(out, "it will be fine");
    assert!(!privacy.token(Class::Person, "will", &mut out));
}
