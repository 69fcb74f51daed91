//! What a process has used, and the numbers that it publishes about itself.

use std::time::Duration;

use crate::error::Error;

/// Memory and CPU time of a process, from `/proc`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Resident memory in bytes when it was last looked at.
    pub resident: u64,
    /// The largest resident memory so far in bytes.
    pub peak_resident: u64,
    /// User and system time of all its threads so far; the kernel counts in steps of 10 ms.
    pub cpu: Duration,
}

/// The kernel's unit of CPU time in `/proc`: 100 per second on every Linux that Rust runs on.
const TICK: Duration = Duration::from_millis(10);

/// What `/proc` says of a process, and whether it has ended without having been waited for.
pub(crate) fn read(pid: u32) -> Result<(Usage, bool), Error> {
    let file = |name: &str| {
        let path = format!("/proc/{pid}/{name}");
        std::fs::read_to_string(&path).map_err(Error::io(format!("reading {path}")))
    };
    let (cpu, has_ended) =
        parse_stat(&file("stat")?).ok_or_else(|| Error::answer("/proc", format!("no CPU time of process {pid}")))?;
    let status = file("status")?;
    let usage = Usage {
        resident: memory(&status, "VmRSS:"),
        peak_resident: memory(&status, "VmHWM:"),
        cpu,
    };
    Ok((usage, has_ended))
}

/// CPU time, and whether the process is a zombie. The name in parentheses may hold anything.
fn parse_stat(stat: &str) -> Option<(Duration, bool)> {
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u32>().ok()? + fields.get(12)?.parse::<u32>().ok()?;
    Some((TICK * ticks, *fields.first()? == "Z"))
}

/// A `kB` line of `/proc/<pid>/status` in bytes; 0 where it is missing, as for a process that ended.
fn memory(status: &str, name: &str) -> u64 {
    status
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok())
        .map_or(0, |kilobytes| kilobytes * 1024)
}

/// A page in the Prometheus text format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metrics {
    text: String,
}

impl Metrics {
    pub(crate) fn new(text: String) -> Self {
        Self { text }
    }

    /// The page as it was served.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The sum over all series of a metric that carry the given labels; `None` when there is none.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let values: Vec<f64> = self
            .text
            .lines()
            .filter_map(|line| value_of(line, name, labels))
            .collect();
        (!values.is_empty()).then(|| values.iter().sum())
    }
}

fn value_of(line: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    let rest = line.strip_prefix(name)?;
    let (held, value) = match rest.strip_prefix('{') {
        Some(rest) => rest.rsplit_once('}')?,
        None if rest.starts_with(' ') => ("", rest),
        None => return None, // another metric, whose name begins alike
    };
    let held = format!(",{held},");
    let carries = |(label, value): &(&str, &str)| held.contains(&format!(",{label}=\"{value}\","));
    if !labels.iter().all(carries) {
        return None;
    }
    value.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stat_line_is_read_past_any_name() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 1 0 0 0 150 50 0 0 20 0 1 0 5 1 1";
        assert_eq!(parse_stat(stat), Some((Duration::from_secs(2), false)));
        let zombie = "7 (a) Z 1 7 7 0 -1 4194560 1 0 0 0 1 0 0 0 20 0 1 0 5 1 1";
        assert_eq!(parse_stat(zombie), Some((Duration::from_millis(10), true)));
        assert_eq!(parse_stat("nonsense"), None);
    }

    #[test]
    fn memory_is_in_bytes() {
        assert_eq!(memory("Name: a\nVmRSS:\t    12 kB\n", "VmRSS:"), 12 * 1024);
        assert_eq!(memory("Name: a\n", "VmRSS:"), 0);
    }

    #[test]
    fn this_process_uses_memory() {
        let (usage, has_ended) = read(std::process::id()).expect("/proc");
        assert!(usage.resident > 0 && usage.peak_resident >= usage.resident && !has_ended);
    }

    #[track_caller]
    fn check_sum(name: &str, labels: &[(&str, &str)], expected: Option<f64>) {
        let page = Metrics::new(
            "# TYPE a_total counter\na_total{x=\"1\",y=\"2\"} 3\na_total{x=\"2\",y=\"2\"} 4.5\n\
             a_total_more 9\nb 1 1700000000000\n"
                .to_owned(),
        );
        assert_eq!(page.sum(name, labels), expected);
    }

    #[test]
    fn metrics_are_summed_over_series() {
        check_sum("a_total", &[], Some(7.5));
        check_sum("a_total", &[("x", "1")], Some(3.0));
        check_sum("a_total", &[("y", "2"), ("x", "2")], Some(4.5));
        check_sum("a_total", &[("x", "3")], None);
        check_sum("b", &[], Some(1.0));
        check_sum("absent", &[], None);
    }
}
