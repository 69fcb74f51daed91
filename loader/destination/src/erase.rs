//! Erased tokens in SQL that every database of ours understands.

use crate::{ErasedToken, Erasure};

/// Tokens of one statement: each is looked for in every text of the table.
const TOKENS_AT_ONCE: usize = 25;

/// A column that may hold tokens, as SQL of the database at hand.
pub struct TextColumn {
    /// Its name, quoted.
    pub name: String,
    /// Its value as text.
    pub text: String,
    /// Makes the column's type of a text again.
    pub again: fn(String) -> String,
}

/// Updates that take the tokens of an erasure out of the columns of a table; `holds` claims that a text holds a token.
///
/// The table's name is quoted.
pub fn take_out(
    table: &str,
    texts: &[TextColumn],
    erasure: &Erasure,
    holds: impl Fn(&str, &str) -> String,
) -> Vec<String> {
    let tokens: Vec<ErasedToken> = erasure.tokens.iter().filter(|token| is_token(token)).cloned().collect();
    let update = |tokens: &[ErasedToken]| {
        let set = |column: &TextColumn| {
            let cleaned = (column.again)(without_tokens(&column.text, tokens));
            format!("{} = {cleaned}", column.name)
        };
        let held = |column: &TextColumn| {
            let held: Vec<_> = tokens.iter().map(|erased| holds(&column.text, &erased.token)).collect();
            held.join(" OR ")
        };
        format!(
            "UPDATE {table} SET {} WHERE {}",
            texts.iter().map(set).collect::<Vec<_>>().join(", "),
            texts.iter().map(held).collect::<Vec<_>>().join(" OR ")
        )
    };
    let chunks = tokens.chunks(TOKENS_AT_ONCE).filter(|_| !texts.is_empty());
    chunks.map(update).collect()
}

/// An update that empties columns where `owner` is `id`; `None` without columns. Names are quoted.
pub fn empty_columns(table: &str, owner: &str, id: &str, columns: &[String]) -> Option<String> {
    let sets: Vec<String> = columns.iter().map(|name| format!("{name} = NULL")).collect();
    let holds: Vec<String> = columns.iter().map(|name| format!("{name} IS NOT NULL")).collect();
    (!columns.is_empty()).then(|| {
        format!(
            "UPDATE {table} SET {} WHERE {owner} = {id} AND ({})",
            sets.join(", "),
            holds.join(" OR ")
        )
    })
}

/// Claims that a token is made as tokens are, so that it needs no quoting.
fn is_token(erased: &ErasedToken) -> bool {
    let legal = |text: &str| {
        let is_legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        !text.is_empty() && text.bytes().all(is_legal)
    };
    legal(&erased.class) && legal(&erased.token)
}

/// An SQL expression: null where `value` is one of the tokens, else `value` with each, or the placeholder that holds
/// it, replaced by `[erased]`.
///
/// Contract: all are [`is_token`].
fn without_tokens(value: &str, tokens: &[ErasedToken]) -> String {
    let list: Vec<String> = tokens.iter().map(|erased| format!("'{}'", erased.token)).collect();
    let mut replaced = value.to_owned();
    for ErasedToken { class, token } in tokens {
        replaced = format!("REPLACE(REPLACE({replaced}, '[{class}:{token}]', '[erased]'), '{token}', '[erased]')");
    }
    format!(
        "CASE WHEN {value} IN ({}) THEN NULL ELSE {replaced} END",
        list.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_that_would_need_quoting_are_none() {
        let erased = |class: &str, token: &str| ErasedToken {
            class: class.into(),
            token: token.into(),
        };
        assert!(is_token(&erased("phone_raw", "k1_abc234")));
        for (class, token) in [
            ("email", "k1_'"),
            ("", "k1_a"),
            ("email", ""),
            ("e-mail", "k1_a"),
            ("email", "K1"),
        ] {
            assert!(!is_token(&erased(class, token)), "{class} {token}");
        }
        assert_eq!(
            without_tokens("\"c\"", &[erased("email", "k1_a")]),
            "CASE WHEN \"c\" IN ('k1_a') THEN NULL ELSE REPLACE(REPLACE(\"c\", '[email:k1_a]', '[erased]'), 'k1_a', '[erased]') END"
        );
    }
}
