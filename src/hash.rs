//! The keyed hash behind every identity that is kept: flows, clients, principals, user names, values.
//!
//! SipHash-1-3 and SipHash-2-4 (Aumasson and Bernstein, 2012) are pseudo-random functions: without the key
//! nobody can craft colliding flows (they would pile up in one table slot), and nobody who reads an alert can
//! test guesses of a user name against its hash.

use siphasher::sip::{SipHasher13, SipHasher24};
use std::hash::Hasher;

/// A 128-bit secret. Made on first start and kept with the state; a replay without state derives it from the
/// capture's first frame, so that it is reproducible.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct HashKey([u8; 16]);

impl std::fmt::Debug for HashKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashKey(secret)")
    }
}

impl HashKey {
    pub const fn new(bytes: [u8; 16]) -> HashKey {
        HashKey(bytes)
    }

    pub fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Fast 64-bit hash for tables and samples (flows, endpoints, object ids).
    #[inline]
    pub fn hash(&self, bytes: &[u8]) -> u64 {
        let mut hasher = SipHasher13::new_with_key(&self.0);
        hasher.write(bytes);
        hasher.finish()
    }

    /// 64-bit hash for secrets and personal values (user names, passwords, tokens): the conservative variant, and a
    /// `purpose` so that equal values in different roles do not hash alike.
    #[inline]
    pub fn secret(&self, purpose: &str, bytes: &[u8]) -> u64 {
        let mut hasher = SipHasher24::new_with_key(&self.0);
        hasher.write(purpose.as_bytes());
        hasher.write_u8(0);
        hasher.write(bytes);
        hasher.finish()
    }
}

/// Hasher for maps whose keys are already keyed hashes: hashing them again would be work for nothing.
#[derive(Default, Clone, Copy)]
pub struct IdentityHasher(u64);

impl Hasher for IdentityHasher {
    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0u8; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.0 = self.0.rotate_left(29) ^ u64::from_le_bytes(word);
        }
    }

    #[inline]
    fn write_u64(&mut self, value: u64) {
        self.0 = self.0.rotate_left(29) ^ value;
    }
}

pub type BuildIdentity = std::hash::BuildHasherDefault<IdentityHasher>;
/// A map keyed by keyed hashes.
pub type HashedMap<V> = std::collections::HashMap<u64, V, BuildIdentity>;

/// Spreads the bits of a 64-bit value (the finaliser of MurmurHash3). Not a secret function: it only decorrelates
/// two uses of the same keyed hash.
#[inline]
pub fn mix(mut value: u64) -> u64 {
    value ^= value >> 33;
    value = value.wrapping_mul(0xff51_afd7_ed55_8ccd);
    value ^= value >> 33;
    value = value.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ (value >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_decides_the_hash() {
        let (a, b) = (HashKey::new([1; 16]), HashKey::new([2; 16]));
        assert_eq!(a.hash(b"alice"), a.hash(b"alice"));
        assert_ne!(a.hash(b"alice"), b.hash(b"alice"));
        assert_ne!(a.secret("user", b"alice"), a.secret("password", b"alice"));
        assert!(!format!("{a:?}").contains('1'));
    }
}
