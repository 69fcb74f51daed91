//! Confluent's framing: a zero byte, the id in four bytes (big endian), then the Avro bytes.
//!
//! See <https://docs.confluent.io/platform/current/schema-registry/fundamentals/serdes-develop/index.html#wire-format>.

/// The bytes before the Avro bytes.
pub const HEADER_LENGTH: usize = 5;

/// A value that does not begin with a schema id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a value of {length} bytes does not begin with a schema id")]
pub struct Unframed {
    /// Its length in bytes.
    pub length: usize,
}

/// What stands before the Avro bytes of a value.
pub const fn header(id: u32) -> [u8; HEADER_LENGTH] {
    let [a, b, c, d] = id.to_be_bytes();
    [0, a, b, c, d]
}

/// A value's schema id and its Avro bytes.
pub fn split(value: &[u8]) -> Result<(u32, &[u8]), Unframed> {
    match value {
        [0, a, b, c, d, avro @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), avro)),
        _ => Err(Unframed { length: value.len() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_confluents_and_are_read_back() {
        assert_eq!(header(1), [0, 0, 0, 0, 1]);
        assert_eq!(header(0x0102_0304), [0, 1, 2, 3, 4]);
        for id in [0, 1, 255, 65_536, u32::MAX] {
            let value = [&header(id)[..], b"avro"].concat();
            assert_eq!(split(&value), Ok((id, &b"avro"[..])));
        }
        assert_eq!(
            split(&header(7)),
            Ok((7, &[][..])),
            "a record without fields has no bytes"
        );
    }

    #[test]
    fn anything_else_is_refused() {
        for value in [&b""[..], b"\0", b"\0\0\0\0", b"\x01\0\0\0\x01avro", b"{\"a\":1}"] {
            assert_eq!(split(value), Err(Unframed { length: value.len() }));
        }
    }
}
