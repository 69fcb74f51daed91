//! The command line of Zenfloe.

fn main() {}
