//! The set-up SQL for Snowflake, as far as a stand-in goes.
