//! Runs of digits: what cards, numbers and addresses made of digits are looked for in.

use std::ops::Range;

/// Groups of digits with short separators between them: `+1 (202) 555-0123`.
#[derive(Debug)]
pub(crate) struct Run<'v> {
    pub(crate) view: &'v str,
    /// The groups of digits, at least one.
    pub(crate) groups: Vec<Range<usize>>,
}

/// Digits that a run needs to be worth a look.
const FEWEST_DIGITS: usize = 4;

/// Groups that are looked at together; a longer list of numbers is looked at in parts that overlap.
const MOST_GROUPS: usize = 64;

impl<'v> Run<'v> {
    /// The digits of some groups.
    pub(crate) fn digits(&self, groups: Range<usize>) -> String {
        self.groups[groups]
            .iter()
            .map(|group| &self.view[group.clone()])
            .collect()
    }

    /// The number of digits of some groups.
    pub(crate) fn count(&self, groups: Range<usize>) -> usize {
        self.groups[groups].iter().map(Range::len).sum()
    }

    /// From the first digit of some groups to the last.
    pub(crate) fn range(&self, groups: Range<usize>) -> Range<usize> {
        self.groups[groups.start].start..self.groups[groups.end - 1].end
    }

    /// What stands between a group and the next one.
    pub(crate) fn between(&self, group: usize) -> &'v str {
        &self.view[self.groups[group].end..self.groups[group + 1].start]
    }

    /// The one separator between all of some groups; `None` where there are several, or none.
    pub(crate) fn separator(&self, groups: Range<usize>) -> Option<&'v str> {
        let first = (groups.len() > 1).then(|| self.between(groups.start))?;
        (groups.start..groups.end - 1)
            .all(|group| self.between(group) == first)
            .then_some(first)
    }

    /// Claims that some groups stand for themselves: no letter, digit, or part of a longer code touches them.
    pub(crate) fn stands_alone(&self, groups: Range<usize>) -> bool {
        let range = self.range(groups);
        !joins_before(self.view, range.start) && !joins_after(self.view, range.end)
    }
}

/// Claims that what stands before a place makes a longer code or number with it.
pub(crate) fn joins_before(view: &str, place: usize) -> bool {
    let mut before = view[..place].chars().rev();
    match before.next() {
        None => false,
        Some(c) if c.is_alphanumeric() => true,
        Some('_' | '#' | '$' | '€' | '£' | '¥') => true,
        // A number goes on before a comma or point, a code before any of the others; a bullet or dash does not.
        Some('.' | ',') => before.next().is_some_and(|c| c.is_ascii_digit()),
        Some('-' | '/' | '\\' | '+' | '*' | '@') => before.next().is_some_and(|c| c.is_alphanumeric() || c == '_'),
        Some(_) => false,
    }
}

/// Claims that what stands after a place makes a longer code or number with it.
pub(crate) fn joins_after(view: &str, place: usize) -> bool {
    let mut after = view[place..].chars();
    match after.next() {
        None => false,
        Some(c) if c.is_alphanumeric() => true,
        Some('_' | '%' | '°' | '€' | '$' | '£') => true,
        Some('.' | ',' | ':') => after.next().is_some_and(|c| c.is_ascii_digit()),
        Some('-' | '/' | '@') => is_code(after.as_str()),
        Some(_) => false,
    }
}

/// Claims that digits, or one or two letters, go on with a code: `4410-228-B`. A word does not: `… -Office`.
fn is_code(rest: &str) -> bool {
    let part = rest
        .split(|c: char| !c.is_alphanumeric() && c != '_')
        .next()
        .unwrap_or_default();
    !part.is_empty() && (part.chars().count() <= 2 || part.contains(|c: char| c.is_ascii_digit() || c == '_'))
}

/// Shows every run of a view to `look`.
pub(crate) fn runs<'v>(view: &'v str, mut look: impl FnMut(&Run<'v>)) {
    let bytes = view.as_bytes();
    let mut run = Run {
        view,
        groups: Vec::new(),
    };
    let mut at = 0;
    while let Some(start) = next_digit(bytes, at) {
        let end = start + bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let is_near = run
            .groups
            .last()
            .is_some_and(|last| is_separator(&bytes[last.end..start]));
        if !is_near || run.groups.len() >= MOST_GROUPS {
            show(&run, &mut look);
            let kept = if is_near { MOST_GROUPS / 2 } else { 0 };
            let gone = run.groups.len() - kept.min(run.groups.len());
            run.groups.drain(..gone);
        }
        run.groups.push(start..end);
        at = end;
    }
    show(&run, &mut look);
}

fn show<'v>(run: &Run<'v>, look: &mut impl FnMut(&Run<'v>)) {
    if !run.groups.is_empty() && run.count(0..run.groups.len()) >= FEWEST_DIGITS {
        look(run);
    }
}

/// The next digit from a place on.
pub(crate) fn next_digit(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    // The compiler makes the blocks wide.
    while let Some(block) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        let mut any = false;
        for byte in block {
            any |= byte.is_ascii_digit();
        }
        if any {
            break;
        }
        at += 16;
    }
    bytes[at..].iter().position(u8::is_ascii_digit).map(|place| at + place)
}

/// Up to three of the characters that numbers are grouped by.
fn is_separator(between: &[u8]) -> bool {
    (1..=3).contains(&between.len())
        && between
            .iter()
            .all(|byte| matches!(byte, b' ' | b'-' | b'.' | b'/' | b'(' | b')'))
}

/// The values of what `find` finds in the runs of a view.
#[cfg(test)]
pub(super) fn values(view: &str, find: impl Fn(&Run<'_>, &mut Vec<super::Span>)) -> Vec<String> {
    let mut found = Vec::new();
    runs(view, |run| find(run, &mut found));
    found.into_iter().map(|span| span.value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(view: &str) -> Vec<Vec<&str>> {
        let mut all = Vec::new();
        runs(view, |run| {
            all.push(run.groups.iter().map(|group| &view[group.clone()]).collect())
        });
        all
    }

    #[test]
    fn groups_go_together_over_short_separators() {
        assert_eq!(
            found("call +1 (202) 555-0123, or 12"),
            [vec!["1", "202", "555", "0123"]]
        );
        assert_eq!(
            found("10.0.0.1:8080 and 2026-01-31T12:00"),
            [vec!["10", "0", "0", "1"], vec!["8080"], vec!["2026", "01", "31"]]
        );
        assert_eq!(found("no digits, 1 2 3"), Vec::<Vec<&str>>::new());
        assert_eq!(
            found("a long text before the first digit of this: 12345"),
            [vec!["12345"]]
        );
    }

    #[test]
    fn long_lists_are_seen_in_parts_that_overlap() {
        let list = "1234 ".repeat(200);
        let mut seen = 0;
        runs(&list, |run| {
            assert!(run.groups.len() <= MOST_GROUPS);
            seen = run.groups[run.groups.len() - 1].end;
        });
        assert_eq!(seen, list.len() - 1);
    }
}
