//! Which partition of a topic a key goes to: the same as other producers choose.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the partition of a record follows from its key.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Partitioner {
    /// Murmur2 of the key, as Java's producer has it; records without a key go to partitions at random.
    #[default]
    Murmur2Random,
    /// CRC32 of the key, as librdkafka has it by default; records whose key is missing or empty go to partitions at random.
    ConsistentRandom,
}

impl Partitioner {
    /// Its name among librdkafka's properties.
    pub fn property(self) -> &'static str {
        match self {
            Self::Murmur2Random => "murmur2_random",
            Self::ConsistentRandom => "consistent_random",
        }
    }
}

/// The partition, of `count`, that a record with this key goes to; `None` where it is left to chance, and where there is no
/// partition.
///
/// Sources: `org.apache.kafka.clients.producer.internals.BuiltInPartitioner.partitionForKey` with
/// `org.apache.kafka.common.utils.Utils.murmur2`; librdkafka's `rd_kafka_msg_partitioner_consistent_random`.
///
/// ```
/// use sluicegate_kafka::{Partitioner, partition_of};
///
/// assert_eq!(partition_of(Partitioner::Murmur2Random, Some(b"kafka"), 12), Some(4));
/// assert_eq!(partition_of(Partitioner::Murmur2Random, None, 12), None);
/// ```
pub fn partition_of(partitioner: Partitioner, key: Option<&[u8]>, count: u32) -> Option<u32> {
    let key = key?;
    match partitioner {
        Partitioner::Murmur2Random => (murmur2(key) & 0x7fff_ffff).checked_rem(count),
        Partitioner::ConsistentRandom if key.is_empty() => None,
        Partitioner::ConsistentRandom => crc32(key).checked_rem(count),
    }
}

/// Murmur2 with Java's seed, over little-endian words.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let mut hash = SEED ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k ^= k >> R;
        hash = hash.wrapping_mul(M) ^ k.wrapping_mul(M);
    }
    if !rest.is_empty() {
        for (place, byte) in rest.iter().enumerate() {
            hash ^= u32::from(*byte) << (8 * place);
        }
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}

/// CRC-32 as zlib has it (reflected, polynomial 0xEDB88320). Keys are short, so bit by bit is fast enough.
fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & 0u32.wrapping_sub(crc & 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn murmur2_is_that_of_java() {
        // Apache Kafka, clients/src/test/java/org/apache/kafka/common/utils/UtilsTest.java, testMurmur2:
        //   cases.put("21".getBytes(), -973932308); cases.put("foobar".getBytes(), -790332482);
        //   cases.put("a-little-bit-long-string".getBytes(), -985981536);
        //   cases.put("a-little-bit-longer-string".getBytes(), -1486304829);
        //   cases.put("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8".getBytes(), -58897971);
        //   cases.put(new byte[] {'a', 'b', 'c'}, 479470107);
        let cases: [(&[u8], i32); 6] = [
            (b"21", -973_932_308),
            (b"foobar", -790_332_482),
            (b"a-little-bit-long-string", -985_981_536),
            (b"a-little-bit-longer-string", -1_486_304_829),
            (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            (b"abc", 479_470_107),
        ];
        for (key, expected) in cases {
            assert_eq!(murmur2(key) as i32, expected, "{key:?}");
        }
    }

    #[test]
    fn crc32_is_that_of_zlib() {
        // Python: import zlib; zlib.crc32(b"123456789"), zlib.crc32(b""), zlib.crc32(b"key-17")
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926);
        assert_eq!(crc32(b""), 0);
        assert_eq!(crc32(b"key-17"), 3_663_805_983);
        // librdkafka, src/rdkafka_msg.c, rd_kafka_msg_partitioner_consistent: `rd_crc32(key, keylen) % partition_cnt`
        assert_eq!(partition_of(Partitioner::ConsistentRandom, Some(b"key-17"), 12), Some(3));
    }

    #[test]
    fn what_is_left_to_chance_has_no_partition() {
        assert_eq!(partition_of(Partitioner::Murmur2Random, None, 3), None);
        assert_eq!(partition_of(Partitioner::ConsistentRandom, None, 3), None);
        assert_eq!(partition_of(Partitioner::ConsistentRandom, Some(b""), 3), None);
        assert_eq!(partition_of(Partitioner::Murmur2Random, Some(b"a"), 0), None);
        // Java: Utils.murmur2("".getBytes()) is 275646681, so an empty key is a key like any other.
        assert_eq!(partition_of(Partitioner::Murmur2Random, Some(b""), 1000), Some(681));
    }
}
