//! The parameters of a request.

use axum::extract::Query as Pairs;
use axum::http::Uri;

/// A request's query, percent signs resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    pub(crate) fn of(uri: &Uri) -> Self {
        let pairs = Pairs::<Vec<(String, String)>>::try_from_uri(uri);
        Self {
            pairs: pairs.map(|Pairs(pairs)| pairs).unwrap_or_default(),
        }
    }

    /// The value of a parameter; the last one wins.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().rev().find(|(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// The values of a parameter that is given more than once.
    pub(crate) fn all<'q>(&'q self, name: &'q str) -> impl Iterator<Item = &'q str> {
        let found = self.pairs.iter().filter(move |(key, _)| key == name);
        found.map(|(_, value)| value.as_str())
    }

    /// A number; what is no number counts as missing.
    pub(crate) fn number(&self, name: &str) -> Option<i64> {
        self.get(name)?.parse().ok()
    }

    pub(crate) fn says_true(&self, name: &str) -> bool {
        self.get(name) == Some("true")
    }

    /// The names in `include`.
    pub(crate) fn includes(&self) -> Vec<&str> {
        let names = self.get("include").into_iter().flat_map(|names| names.split(','));
        names.map(str::trim).filter(|name| !name.is_empty()).collect()
    }

    /// All of it in plain form, behind the question mark.
    pub(crate) fn plain(&self) -> String {
        let pairs: Vec<_> = self
            .pairs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        pairs.join("&")
    }

    /// The address of another page: these parameters without some, with others before them.
    pub(crate) fn address(&self, base: &str, without: &[&str], with: &[(&str, &str)]) -> String {
        let kept = self.pairs.iter().filter(|(name, _)| !without.contains(&name.as_str()));
        let kept = kept.map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<_> = with
            .iter()
            .copied()
            .chain(kept)
            .map(|(name, value)| format!("{name}={}", escape(value)))
            .collect();
        if all.is_empty() {
            base.to_owned()
        } else {
            format!("{base}?{}", all.join("&"))
        }
    }
}

/// Percent signs for what may not stand in a query.
fn escape(value: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~:,".contains(byte);
    value
        .bytes()
        .map(|byte| {
            if plain(&byte) {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_and_written() {
        let uri: Uri = "http://x/y?page%5Bsize%5D=5&include=a,%20b&cursor=MQ%3D%3D"
            .parse()
            .expect("an address");
        let query = Query::of(&uri);
        assert_eq!(query.number("page[size]"), Some(5));
        assert_eq!(query.includes(), ["a", "b"]);
        assert_eq!(query.get("cursor"), Some("MQ=="));
        let next = query.address("http://x/y.json", &["cursor", "page[size]"], &[("cursor", "Mg==")]);
        assert_eq!(next, "http://x/y.json?cursor=Mg%3D%3D&include=a,%20b");
    }
}
