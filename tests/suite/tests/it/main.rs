//! End to end: the three stages as processes over Kafka into PostgreSQL.

mod honest_path;
