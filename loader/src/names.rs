/// The consumer group of a destination: two destinations read the same topics side by side.
pub fn group_id(destination: &str) -> String {
    format!("zenfloe-load-{destination}")
}

/// The id of a member's one living writer of dead letters.
pub fn writer_id(destination: &str, member: &str) -> String {
    format!("zenfloe-load-{destination}-{member}")
}
