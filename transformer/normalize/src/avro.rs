//! Avro's binary form of the few types that rows have.

/// Appends a zigzag number of variable length; ints and longs alike.
#[inline]
pub(crate) fn long(value: i64, out: &mut Vec<u8>) {
    let mut left = ((value << 1) ^ (value >> 63)) as u64;
    if left < 0x80 {
        out.push(left as u8);
        return;
    }
    let mut bytes = [0; 10];
    let mut length = 0;
    while left >= 0x80 {
        bytes[length] = left as u8 | 0x80;
        left >>= 7;
        length += 1;
    }
    bytes[length] = left as u8;
    out.extend_from_slice(&bytes[..=length]);
}

#[inline]
pub(crate) fn text(value: &str, out: &mut Vec<u8>) {
    // A text is shorter than 2^63 bytes.
    long(value.len() as i64, out);
    out.extend_from_slice(value.as_bytes());
}

#[inline]
pub(crate) fn boolean(value: bool, out: &mut Vec<u8>) {
    out.push(u8::from(value));
}

#[inline]
pub(crate) fn double(value: f64, out: &mut Vec<u8>) {
    out.extend_from_slice(&value.to_le_bytes());
}

/// The branch of null in a union of null and one type.
pub(crate) const NULL: u8 = 0;
/// The branch of the other type.
pub(crate) const SOME: u8 = 2;
