//! Erased tokens in SQL that every database of ours understands.

use crate::ErasedToken;

/// Claims that a token is made as tokens are, so that it needs no quoting.
pub fn is_token(erased: &ErasedToken) -> bool {
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
pub fn without_tokens(value: &str, tokens: &[ErasedToken]) -> String {
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
