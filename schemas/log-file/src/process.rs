//! Tells a process that is gone from one that only says nothing.

use std::path::Path;

/// Names this process so that others on this machine can see whether it lives; empty where that is not possible.
///
/// Boot, process namespace and user must be the same for a judgement; the start time tells a process from a later one
/// of the same number.
pub(crate) fn own() -> String {
    let pid = std::process::id();
    match (surroundings(), start_of(pid)) {
        (Some(surroundings), Some(start)) => format!("{surroundings} {pid} {start}"),
        _ => String::new(),
    }
}

/// Claims that the process of this name ran here and has ended.
pub(crate) fn is_gone(name: &str) -> bool {
    let Some((rest, start)) = name.rsplit_once(' ') else {
        return false;
    };
    let Some((place, pid)) = rest.rsplit_once(' ') else {
        return false;
    };
    let Ok(pid) = pid.parse() else { return false };
    surroundings().is_some_and(|here| here == place) && start_of(pid).is_none_or(|found| found != start)
}

#[cfg(target_os = "linux")]
fn surroundings() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let space = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let user = std::fs::metadata(Path::new("/proc/self")).ok()?.uid();
    Some(format!("{} {} {user}", boot.trim(), space.display()))
}

/// When a living process started, in the kernel's ticks. See `man 5 proc_pid_stat`.
#[cfg(target_os = "linux")]
fn start_of(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the command in parentheses and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    let start = fields.nth(18)?;
    (!matches!(state, "Z" | "X")).then(|| start.to_owned())
}

#[cfg(not(target_os = "linux"))]
fn surroundings() -> Option<String> {
    None
}

#[cfg(not(target_os = "linux"))]
fn start_of(_: u32) -> Option<String> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn who_lives_is_not_gone_and_who_ended_is() {
        let own = own();
        assert!(!own.is_empty() && !is_gone(&own));
        let mut child = std::process::Command::new("sleep")
            .arg("60")
            .spawn()
            .expect("a process");
        let start = start_of(child.id()).expect("it lives");
        let name = format!("{} {} {start}", surroundings().expect("Linux"), child.id());
        assert!(!is_gone(&name));
        child.kill().expect("killed");
        child.wait().expect("ended");
        assert!(is_gone(&name));
    }

    #[test]
    fn nothing_is_said_about_other_places() {
        let pid = std::process::id();
        for name in ["", "a", "a b c", &format!("other boot {pid} 1"), "another machine 1 1"] {
            assert!(!is_gone(name), "{name}");
        }
        let reborn = format!("{} {pid} 1", surroundings().expect("Linux"));
        assert!(is_gone(&reborn), "the number is ours now");
    }
}
