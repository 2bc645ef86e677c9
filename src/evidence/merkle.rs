//! The Merkle tree over all events: RFC 9162 §2.1 (SHA-256, 0x00 before a leaf, 0x01 before a pair of hashes), built as
//! the events come, in memory that grows with the logarithm of their number.

use sha2::{Digest as _, Sha256};

/// A hash of the tree.
pub(super) type Hash = [u8; 32];

/// That one leaf is in a tree of some size: the hashes that lead from it to the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Its place, from 0.
    pub index: u64,
    /// Its hash.
    pub leaf: Hash,
    /// The neighbours, from the leaf upwards (RFC 9162 §2.1.3).
    pub path: Vec<Hash>,
}

/// The hash of a leaf.
pub(super) fn leaf(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

fn pair(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// A complete subtree, with the proofs under way in it.
#[derive(Clone, Debug)]
struct Peak {
    height: u32,
    hash: Hash,
    proofs: Vec<Proof>,
}

impl Peak {
    fn joined(mut self, right: Self) -> Self {
        self.proofs.iter_mut().for_each(|proof| proof.path.push(right.hash));
        self.proofs.extend(right.proofs.into_iter().map(|mut proof| {
            proof.path.push(self.hash);
            proof
        }));
        self.hash = pair(&self.hash, &right.hash);
        self.height += 1;
        self
    }
}

/// The tree over the leaves so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    size: u64,
    /// From the left, each higher than the next.
    peaks: Vec<Peak>,
}

impl Tree {
    /// Appends a leaf; `prove`: its proof will be asked for.
    pub(super) fn push(&mut self, leaf: Hash, prove: bool) {
        let proofs = if prove {
            vec![Proof { index: self.size, leaf, path: Vec::new() }]
        } else {
            Vec::new()
        };
        let mut new = Peak { height: 0, hash: leaf, proofs };
        while self.peaks.last().is_some_and(|last| last.height == new.height)
            && let Some(left) = self.peaks.pop()
        {
            new = left.joined(new);
        }
        self.peaks.push(new);
        self.size += 1;
    }

    /// How many leaves there are.
    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    /// The root, and the proofs that were asked for.
    pub(super) fn root(&self) -> (Hash, Vec<Proof>) {
        let whole = self.peaks.iter().rev().cloned().reduce(|right, left| left.joined(right));
        whole.map_or_else(
            || (Sha256::digest([]).into(), Vec::new()),
            |whole| (whole.hash, whole.proofs),
        )
    }
}

impl Proof {
    /// The root of the tree with `size` leaves in which this proof holds (RFC 9162 §2.1.3.2); nothing if it holds in none.
    pub(super) fn root(&self, size: u64) -> Option<Hash> {
        let (mut at, mut last, mut hash) = (self.index, size.checked_sub(1)?, self.leaf);
        if at > last {
            return None;
        }
        for neighbour in &self.path {
            if last == 0 {
                return None;
            }
            if at & 1 == 1 || at == last {
                hash = pair(neighbour, &hash);
                while at & 1 == 0 && at != 0 {
                    at >>= 1;
                    last >>= 1;
                }
            } else {
                hash = pair(&hash, neighbour);
            }
            at >>= 1;
            last >>= 1;
        }
        (last == 0).then_some(hash)
    }
}
