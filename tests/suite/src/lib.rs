//! End-to-end tests of real processes over a real broker; they stand in `tests/`.
