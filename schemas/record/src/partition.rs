use crate::Partition;

/// Returns the partition of a partition key: Java Kafka's murmur2 of its bytes, modulo `count`.
///
/// The formula is the Java client's default for keyed records, so that a consumer written for the
/// JVM can find a ticket's partition; we compute it ourselves because librdkafka's default differs.
///
/// Contract: `count` is at least 1.
pub fn partition_of(key: &[u8], count: Partition) -> Partition {
    let positive = murmur2(key) & 0x7fff_ffff;
    let count = u32::try_from(count).expect("a topic has at least one partition");
    Partition::try_from(positive % count).expect("smaller than the partition count")
}

/// `org.apache.kafka.common.utils.Utils.murmur2`.
fn murmur2(data: &[u8]) -> u32 {
    const M: u32 = 0x5bd1_e995;
    let length = data.len() as u32;
    let mut h = 0x9747_b28c_u32 ^ length;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = u32::from_le_bytes(word.try_into().expect("four bytes"));
        k = k.wrapping_mul(M);
        k ^= k >> 24;
        k = k.wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        for (index, byte) in rest.iter().enumerate() {
            h ^= u32::from(*byte) << (8 * index);
        }
        h = h.wrapping_mul(M);
    }
    h ^= h >> 13;
    h = h.wrapping_mul(M);
    h ^ (h >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of Kafka's own `UtilsTest.testMurmur2`.
    #[test]
    fn murmur2_equals_kafkas_vectors() {
        let vectors: [(&str, i32); 6] = [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ];
        for (key, hash) in vectors {
            assert_eq!(murmur2(key.as_bytes()) as i32, hash, "{key}");
        }
    }

    #[test]
    fn partitions_are_in_range_and_spread() {
        let mut seen = [0_u32; 12];
        for id in 39_771_850_850_000_u64..39_771_850_851_200 {
            let partition = partition_of(id.to_string().as_bytes(), 12);
            seen[usize::try_from(partition).expect("not negative")] += 1;
        }
        assert!(seen.iter().all(|count| (60..=140).contains(count)), "{seen:?}");
    }
}
