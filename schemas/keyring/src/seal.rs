use std::collections::HashMap;
use std::fmt;

use aes_gcm::aead::{AeadInOut, KeyInit};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use jiff::tz::Offset;
use sha2::Sha256;
use zenfloe_record::{Headers, SourceName, header};
use zeroize::Zeroizing;

use crate::file::Sealed;
use crate::{Key, KeyVersion, SealKeys, derive, random};

/// What a sealed value belongs to: part of what is authenticated, so that it opens nowhere else.
///
/// For raw and dead values this is the collection; other topics use a name of their own.
pub type SealPurpose = str;

/// The layout of the seal header: format, root version, period, wrap nonce, wrapped data key, value nonce.
const FORMAT: u8 = 1;
const PERIOD_AT: usize = 3;
const WRAP_AT: usize = 7;
const VALUE_NONCE_AT: usize = WRAP_AT + 12 + 48;
const HEADER_LENGTH: usize = VALUE_NONCE_AT + 12;

/// Records sealed under one data key before a new one is made; far below AES-GCM's limit.
const RECORDS_PER_DATA_KEY: u64 = 1 << 24;

/// The largest value that opens, against a compressed value that swells without end.
const LARGEST_OPENED: usize = 1 << 30;

/// Seals values of one source: zstd, then AES-256-GCM under a data key that stands wrapped in a header.
///
/// The data key is random per sealer; it is wrapped by a key derived from the root for the source and
/// the month. Source, purpose and record key are authenticated, so that a value moved to another
/// record does not open.
pub struct Sealer {
    source: SourceName,
    root_version: KeyVersion,
    root: Key,
    current: Option<DataKey>,
    compressor: zstd::bulk::Compressor<'static>,
}

/// A data key in use. Nonces count upwards; the key is fresh, so none repeats.
struct DataKey {
    period: u32,
    cipher: Aes256Gcm,
    header: [u8; VALUE_NONCE_AT],
    used: u64,
}

impl Sealer {
    /// Seals under the newest key of `keys`.
    pub fn new(keys: &SealKeys, source: &SourceName) -> Self {
        let (root_version, root) = keys.newest(source);
        let compressor = zstd::bulk::Compressor::new(1).expect("zstd's own memory");
        Self {
            source: source.clone(),
            root_version,
            root: root.clone(),
            current: None,
            compressor,
        }
    }

    /// Seals `value` as of `now` (microseconds, it chooses the period) and adds the seal header.
    pub fn seal(
        &mut self,
        now: zenfloe_record::Micros,
        purpose: &SealPurpose,
        key: &[u8],
        value: &[u8],
        headers: &mut Headers,
    ) -> Vec<u8> {
        let mut sealed = self.compressor.compress(value).expect("memory for a compressed value");
        let aad = additional_data(&self.source, purpose, key);
        let data_key = self.data_key(period_of(now));
        let mut header = [0; HEADER_LENGTH];
        header[..VALUE_NONCE_AT].copy_from_slice(&data_key.header);
        header[VALUE_NONCE_AT + 4..].copy_from_slice(&data_key.used.to_be_bytes());
        data_key.used += 1;
        let nonce = Nonce::try_from(&header[VALUE_NONCE_AT..]).expect("12 bytes");
        data_key
            .cipher
            .encrypt_in_place(&nonce, &aad, &mut sealed)
            .expect("below AES-GCM's 64 GiB");
        headers.push(header::SEAL, header.as_slice());
        sealed
    }

    fn data_key(&mut self, period: u32) -> &mut DataKey {
        let usable = self
            .current
            .as_ref()
            .is_some_and(|held| held.period == period && held.used < RECORDS_PER_DATA_KEY);
        if !usable {
            self.current = Some(DataKey::wrapped(&self.root, self.root_version, &self.source, period));
        }
        self.current.as_mut().expect("just made")
    }
}

impl DataKey {
    fn wrapped(root: &Key, root_version: KeyVersion, source: &SourceName, period: u32) -> Self {
        let data_key = Key::new(random());
        let wrap_nonce: [u8; 12] = random();
        let mut wrapped = data_key.to_vec();
        wrapping_cipher(root, source, period)
            .encrypt_in_place(&Nonce::from(wrap_nonce), b"zenfloe1 data key", &mut wrapped)
            .expect("32 bytes");
        let mut header = [0; VALUE_NONCE_AT];
        header[0] = FORMAT;
        header[1..PERIOD_AT].copy_from_slice(&root_version.to_be_bytes());
        header[PERIOD_AT..WRAP_AT].copy_from_slice(&period.to_be_bytes());
        header[WRAP_AT..WRAP_AT + 12].copy_from_slice(&wrap_nonce);
        header[WRAP_AT + 12..].copy_from_slice(&wrapped);
        Self {
            period,
            cipher: cipher(&data_key),
            header,
            used: 0,
        }
    }
}

/// Why a value does not open.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The seal names a key version that the file does not hold: a person must bring the key.
    #[error("the seal needs version {0} of the seal key, which the key file does not hold")]
    UnknownKeyVersion(KeyVersion),
    /// The key was destroyed on purpose: the value is unreadable for ever.
    #[error("version {0} of the seal key was destroyed, and with it this value")]
    Destroyed(KeyVersion),
    /// The header is absent or of an unknown form, the value is damaged, or it belongs to another record.
    #[error("the seal does not open: {0}")]
    Damaged(&'static str),
}

/// Opens values of one source.
pub struct Opener {
    source: SourceName,
    keys: SealKeys,
    unwrapped: HashMap<[u8; VALUE_NONCE_AT], Aes256Gcm>,
    decompressor: zstd::bulk::Decompressor<'static>,
    compressed: Vec<u8>,
}

/// Data keys kept unwrapped; an extractor makes one per start and month.
const UNWRAPPED_KEPT: usize = 1_024;

impl Opener {
    /// Opens with every version that `keys` holds.
    pub fn new(keys: SealKeys, source: &SourceName) -> Self {
        Self {
            source: source.clone(),
            keys,
            unwrapped: HashMap::new(),
            decompressor: zstd::bulk::Decompressor::new().expect("zstd's own memory"),
            compressed: Vec::new(),
        }
    }

    /// Replaces the contents of `out` by the value that was sealed for this purpose and record key.
    pub fn open(
        &mut self,
        purpose: &SealPurpose,
        key: &[u8],
        headers: &Headers,
        sealed: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), OpenError> {
        let header = headers
            .get(header::SEAL)
            .ok_or(OpenError::Damaged("the seal header is missing"))?;
        let header: &[u8; HEADER_LENGTH] = header
            .try_into()
            .map_err(|_| OpenError::Damaged("the seal header has another length"))?;
        let nonce = Nonce::try_from(&header[VALUE_NONCE_AT..]).expect("12 bytes");
        let aad = additional_data(&self.source, purpose, key);
        let cipher = unwrap(&mut self.unwrapped, &self.keys, &self.source, header)?;
        self.compressed.clear();
        self.compressed.extend_from_slice(sealed);
        cipher
            .decrypt_in_place(&nonce, &aad, &mut self.compressed)
            .map_err(|_| OpenError::Damaged("the value is not what was sealed for this record"))?;
        self.decompress(out)
    }

    fn decompress(&mut self, out: &mut Vec<u8>) -> Result<(), OpenError> {
        let damaged = || OpenError::Damaged("the opened value does not decompress");
        let size = zstd::zstd_safe::get_frame_content_size(&self.compressed)
            .ok()
            .flatten()
            .ok_or_else(damaged)?;
        let size = usize::try_from(size)
            .ok()
            .filter(|size| *size <= LARGEST_OPENED)
            .ok_or_else(damaged)?;
        out.clear();
        out.reserve(size);
        self.decompressor
            .decompress_to_buffer(&self.compressed, out)
            .map_err(|_| damaged())?;
        Ok(())
    }
}

fn unwrap<'c>(
    unwrapped: &'c mut HashMap<[u8; VALUE_NONCE_AT], Aes256Gcm>,
    keys: &SealKeys,
    source: &SourceName,
    header: &[u8; HEADER_LENGTH],
) -> Result<&'c Aes256Gcm, OpenError> {
    let id: [u8; VALUE_NONCE_AT] = header[..VALUE_NONCE_AT].try_into().expect("a part of the header");
    if !unwrapped.contains_key(&id) {
        if header[0] != FORMAT {
            return Err(OpenError::Damaged(
                "the seal has a format that this release does not know",
            ));
        }
        let version = KeyVersion::from_be_bytes([header[1], header[2]]);
        let period = u32::from_be_bytes(header[PERIOD_AT..WRAP_AT].try_into().expect("4 bytes"));
        let root = match keys.get(version) {
            Sealed::Opens(root) => root,
            Sealed::Destroyed => return Err(OpenError::Destroyed(version)),
            Sealed::Unknown => return Err(OpenError::UnknownKeyVersion(version)),
        };
        let nonce = Nonce::try_from(&header[WRAP_AT..WRAP_AT + 12]).expect("12 bytes");
        let mut data_key = Zeroizing::new(header[WRAP_AT + 12..VALUE_NONCE_AT].to_vec());
        wrapping_cipher(root, source, period)
            .decrypt_in_place(&nonce, b"zenfloe1 data key", &mut *data_key)
            .map_err(|_| OpenError::Damaged("the data key was wrapped by another root key"))?;
        let mut key = Key::default();
        key.copy_from_slice(&data_key);
        if unwrapped.len() >= UNWRAPPED_KEPT {
            unwrapped.clear();
        }
        unwrapped.insert(id, cipher(&key));
    }
    Ok(&unwrapped[&id])
}

impl SealKeys {
    /// The Kafka key of a record whose primary key is personal: an HMAC under a key derived from the oldest seal root
    /// that is held, so that a rotation moves no record to another partition.
    pub fn record_key(&self, source: &SourceName, collection: &str, key: &[u8]) -> [u8; 32] {
        let root = self.oldest(source);
        let derived = derive(root, &format!("zenfloe1|record-key|{source}|{collection}"));
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(derived.as_slice()).expect("HMAC takes any length");
        mac.update(key);
        mac.finalize().into_bytes().into()
    }
}

/// The month of a time as a number like 202611.
fn period_of(now: zenfloe_record::Micros) -> u32 {
    let date = Timestamp::from_microsecond(now).map(|time| Offset::UTC.to_datetime(time).date());
    date.map_or(0, |date| {
        u32::from(date.year().unsigned_abs()) * 100 + u32::from(date.month().unsigned_abs())
    })
}

fn wrapping_cipher(root: &Key, source: &SourceName, period: u32) -> Aes256Gcm {
    cipher(&derive(root, &format!("zenfloe1|seal|{source}|{period}")))
}

fn cipher(key: &Key) -> Aes256Gcm {
    Aes256Gcm::new_from_slice(key.as_slice()).expect("32 bytes")
}

/// Source, purpose and key, each with its length before it.
fn additional_data(source: &SourceName, purpose: &SealPurpose, key: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(12 + source.as_str().len() + purpose.len() + key.len());
    for part in [source.as_str().as_bytes(), purpose.as_bytes(), key] {
        data.extend_from_slice(
            &u32::try_from(part.len())
                .expect("names and keys are short")
                .to_be_bytes(),
        );
        data.extend_from_slice(part);
    }
    data
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealer({}, version {})", self.source, self.root_version)
    }
}

impl fmt::Debug for Opener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opener({}, {:?})", self.source, self.keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_795_528_800_000_000; // 2026-11-24

    fn acme() -> SourceName {
        SourceName::new("acme").expect("a legal name")
    }

    fn sealed(keys: &SealKeys, value: &[u8]) -> (Vec<u8>, Headers) {
        let mut headers = Headers::new();
        let bytes = Sealer::new(keys, &acme()).seal(NOW, "tickets", b"42", value, &mut headers);
        (bytes, headers)
    }

    fn open(keys: SealKeys, purpose: &str, key: &[u8], bytes: &[u8], headers: &Headers) -> Result<Vec<u8>, OpenError> {
        let mut out = Vec::new();
        Opener::new(keys, &acme()).open(purpose, key, headers, bytes, &mut out)?;
        Ok(out)
    }

    #[test]
    fn what_was_sealed_opens_and_shows_nothing_while_sealed() {
        let value = br#"{"email":"ann@example.com"}"#.repeat(100);
        let (bytes, headers) = sealed(&SealKeys::of([(1, [7; 32])]), &value);
        assert!(!bytes.windows(4).any(|window| window == b"ann@"));
        assert_eq!(
            open(SealKeys::of([(1, [7; 32])]), "tickets", b"42", &bytes, &headers),
            Ok(value)
        );
        let (empty, headers) = sealed(&SealKeys::of([(1, [7; 32])]), b"");
        assert_eq!(
            open(SealKeys::of([(1, [7; 32])]), "tickets", b"42", &empty, &headers),
            Ok(vec![])
        );
    }

    #[test]
    fn a_value_opens_only_where_it_belongs() {
        let keys = || SealKeys::of([(1, [7; 32])]);
        let (bytes, headers) = sealed(&keys(), b"value");
        assert!(matches!(
            open(keys(), "users", b"42", &bytes, &headers),
            Err(OpenError::Damaged(_))
        ));
        assert!(matches!(
            open(keys(), "tickets", b"43", &bytes, &headers),
            Err(OpenError::Damaged(_))
        ));
        assert!(matches!(
            open(keys(), "tickets", b"42", &bytes, &Headers::new()),
            Err(OpenError::Damaged(_))
        ));
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(open(keys(), "tickets", b"42", &damaged, &headers).is_err(), "byte {at}");
        }
        let other_root = SealKeys::of([(1, [8; 32])]);
        assert!(matches!(
            open(other_root, "tickets", b"42", &bytes, &headers),
            Err(OpenError::Damaged(_))
        ));
    }

    #[test]
    fn an_unknown_version_is_told_apart_from_damage() {
        let (bytes, headers) = sealed(&SealKeys::of([(3, [7; 32])]), b"value");
        let told = open(SealKeys::of([(1, [7; 32])]), "tickets", b"42", &bytes, &headers);
        assert_eq!(told, Err(OpenError::UnknownKeyVersion(3)));
        let with_both = SealKeys::of([(3, [7; 32]), (4, [9; 32])]);
        assert_eq!(
            open(with_both, "tickets", b"42", &bytes, &headers),
            Ok(b"value".to_vec())
        );
    }

    #[test]
    fn what_was_sealed_under_a_destroyed_key_is_told_apart_too() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("seal.key");
        SealKeys::generate().write_new(&path).expect("written");
        let load = || SealKeys::load(&path).expect("read");
        SealKeys::rotate(&path, Some(&acme())).expect("rotated");
        let (bytes, headers) = sealed(&load(), b"value");
        SealKeys::rotate(&path, Some(&acme())).expect("rotated");
        assert_eq!(open(load(), "tickets", b"42", &bytes, &headers), Ok(b"value".to_vec()));
        SealKeys::destroy(&path, 2).expect("destroyed");
        assert_eq!(
            open(load(), "tickets", b"42", &bytes, &headers),
            Err(OpenError::Destroyed(2))
        );
        let (bytes, headers) = sealed(&load(), b"value");
        assert_eq!(open(load(), "tickets", b"42", &bytes, &headers), Ok(b"value".to_vec()));
    }

    #[test]
    fn no_nonce_repeats_under_one_data_key() {
        let mut sealer = Sealer::new(&SealKeys::of([(1, [7; 32])]), &acme());
        let mut seen = std::collections::HashSet::new();
        for month in 0..3 {
            for _ in 0..100 {
                let mut headers = Headers::new();
                sealer.seal(NOW + month * 31 * 86_400_000_000, "tickets", b"42", b"v", &mut headers);
                assert!(seen.insert(headers.get(header::SEAL).expect("sealed").to_vec()));
            }
        }
        let wrapped: std::collections::HashSet<_> = seen.iter().map(|h| &h[..VALUE_NONCE_AT]).collect();
        assert_eq!(wrapped.len(), 3, "one data key per month");
    }

    /// A value sealed by the first release: must open for ever.
    #[test]
    fn a_value_of_the_first_release_opens() {
        let header = data_encoding::HEXLOWER.decode(GOLDEN_HEADER.as_bytes()).expect("hex");
        let value = data_encoding::HEXLOWER.decode(GOLDEN_VALUE.as_bytes()).expect("hex");
        let headers = Headers::new().with(header::SEAL, header);
        let opened = open(SealKeys::of([(1, [7; 32])]), "tickets", b"42", &value, &headers);
        assert_eq!(opened.as_deref(), Ok(&br#"{"id":42,"subject":"golden"}"#[..]));
    }

    const GOLDEN_HEADER: &str = "010001000317738a1f56d5d2826adcb803b6467d8efda17cb7cead4b6ec7db92d9960e27ef957c83a4867fdf3dae80496358ed14f972eea9bb4d64d7f0ec72ec3e1e34000000000000000000000000";
    const GOLDEN_VALUE: &str =
        "06464ee2005683627b8a92b7e42911ea219200b618a208ffeaafb4200a6d6e4a4fe62a1c8aae89a3c3844fdba1c7be0ab9a57f7503";

    #[test]
    fn periods_are_months() {
        assert_eq!(period_of(0), 197_001);
        assert_eq!(period_of(NOW), 202_611);
        assert_eq!(period_of(1_709_164_800_000_000), 202_402, "29 February 2024");
    }

    #[test]
    fn record_keys_are_keyed_by_root_source_and_collection() {
        let keys = SealKeys::of([(1, [7; 32])]);
        let key = keys.record_key(&acme(), "suspended", b"ann@example.com");
        assert_ne!(key, keys.record_key(&acme(), "other", b"ann@example.com"));
        assert_ne!(
            key,
            SealKeys::of([(1, [8; 32])]).record_key(&acme(), "suspended", b"ann@example.com")
        );
    }
}
