//! Looks for clear-text personal data in bytes.

/// A value that must not be found.
#[derive(Debug, Clone)]
pub struct Canary {
    /// The value in plain form.
    pub value: String,
    /// What kind of personal data it is.
    pub class: String,
}

/// Finds canaries in any of the forms in which a value can leak.
pub struct Scanner {
    needles: Vec<(Vec<u8>, String)>,
    first_bytes: [Vec<u32>; 256],
}

impl Scanner {
    /// Prepares plain, upper-case, lower-case, HTML-escaped and JSON-escaped forms.
    pub fn new(canaries: &[Canary]) -> Self {
        let mut needles: Vec<(Vec<u8>, String)> = Vec::new();
        for canary in canaries {
            let label = format!(
                "{} `{}…`",
                canary.class,
                canary.value.chars().take(4).collect::<String>()
            );
            let mut forms = forms(&canary.value);
            forms.sort();
            forms.dedup();
            needles.extend(forms.into_iter().map(|form| (form.into_bytes(), label.clone())));
        }
        assert!(
            needles.iter().all(|(needle, _)| needle.len() >= 6),
            "a canary is unmistakable"
        );
        let mut first_bytes: [Vec<u32>; 256] = std::array::from_fn(|_| Vec::new());
        for (index, (needle, _)) in needles.iter().enumerate() {
            first_bytes[usize::from(needle[0])].push(u32::try_from(index).expect("few needles"));
        }
        for bucket in &mut first_bytes {
            bucket.sort_by(|a, b| needles[*a as usize].0.cmp(&needles[*b as usize].0));
        }
        Self { needles, first_bytes }
    }

    /// Returns what was found, described by class and place, never by value.
    pub fn scan(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let mut found = Vec::new();
        for start in 0..bytes.len() {
            let bucket = &self.first_bytes[usize::from(bytes[start])];
            if bucket.is_empty() {
                continue;
            }
            if let Some(label) = self.at(bucket, &bytes[start..]) {
                found.push(format!("{place}: {label} at byte {start}"));
            }
        }
        found
    }

    /// Searches a sorted bucket for a needle that `rest` begins with.
    fn at(&self, bucket: &[u32], rest: &[u8]) -> Option<&str> {
        let needle = |index: &u32| self.needles[*index as usize].0.as_slice();
        let end = bucket.partition_point(|index| needle(index) <= rest);
        // Needles of one prefix stand together; look back as long as a common beginning remains.
        bucket[..end]
            .iter()
            .rev()
            .take_while(|index| needle(index)[..4.min(needle(index).len())] == rest[..4.min(rest.len())])
            .find(|index| rest.starts_with(needle(index)))
            .map(|index| self.needles[*index as usize].1.as_str())
    }
}

fn forms(value: &str) -> Vec<String> {
    let html = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;")
            .replace('\'', "&#39;")
    };
    let json = |text: &str| {
        let quoted = serde_json::Value::String(text.to_owned()).to_string();
        quoted[1..quoted.len() - 1].to_owned()
    };
    let mut all = vec![value.to_owned(), value.to_uppercase(), value.to_lowercase()];
    all.extend([
        html(value),
        json(value),
        json(&html(value)),
        value.replace('@', "&#64;"),
        value.replace('@', "\\u0040"),
    ]);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_planted_value_is_found_in_every_form_and_nothing_else_is() {
        let canaries = [
            Canary {
                value: "qanary.zfc01@canary-mail.example".into(),
                class: "email".into(),
            },
            Canary {
                value: "Qanary \"Zfc01\"".into(),
                class: "person".into(),
            },
            Canary {
                value: "qanary.zfc02@canary-mail.example".into(),
                class: "email".into(),
            },
        ];
        let scanner = Scanner::new(&canaries);
        for planted in [
            "x qanary.zfc01@canary-mail.example y",
            "QANARY.ZFC02@CANARY-MAIL.EXAMPLE",
            "qanary.zfc01&#64;canary-mail.example",
            "Qanary \\\"Zfc01\\\"",
            "Qanary &quot;Zfc01&quot;",
        ] {
            assert_eq!(scanner.scan("here", planted.as_bytes()).len(), 1, "{planted}");
        }
        assert!(
            scanner
                .scan("here", b"qanary.zfc03@canary-mail.example k1_abcdef")
                .is_empty()
        );
    }
}
