//! The table that is printed.

use std::fmt::Display;

/// One figure.
struct Line {
    what: String,
    measured: String,
    target: String,
    beside: String,
}

/// Figures in the order in which they were measured.
pub(crate) struct Table {
    head: String,
    lines: Vec<Line>,
}

impl Table {
    /// An empty table; notes how busy the machine is.
    pub(crate) fn begin(is_quick: bool) -> Self {
        let profile = if cfg!(debug_assertions) { "dev" } else { "release" };
        let size = if is_quick { ", a tenth of everything" } else { "" };
        let head = format!("{profile} build{size}; load average before: {}", load_average());
        println!("{head}");
        Self {
            head,
            lines: Vec::new(),
        }
    }

    /// Adds a figure and shows it at once. `beside`: the reference of the same run, and the ratio to it.
    pub(crate) fn add(
        &mut self,
        what: impl Into<String>,
        measured: impl Display,
        target: impl Into<String>,
        beside: impl Into<String>,
    ) {
        let line = Line {
            what: what.into(),
            measured: measured.to_string(),
            target: target.into(),
            beside: beside.into(),
        };
        let asked = match line.target.as_str() {
            "" => String::new(),
            target => format!(" (target {target})"),
        };
        println!("{}: {}{asked} {}", line.what, line.measured, line.beside);
        self.lines.push(line);
    }

    /// Prints it as Markdown.
    pub(crate) fn print(&self) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        println!("\n{}, after: {}; {cores} cores\n", self.head, load_average());
        println!("| what | measured | target | beside it in the same run |\n|---|---|---|---|");
        for line in &self.lines {
            println!(
                "| {} | {} | {} | {} |",
                line.what, line.measured, line.target, line.beside
            );
        }
    }
}

fn load_average() -> String {
    let told = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    told.split(' ').take(3).collect::<Vec<_>>().join(" ")
}
