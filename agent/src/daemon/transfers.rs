//! What is on its way for which lease, in bytes. Looked at whenever somebody asks, so that no byte is an event.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use sublet_protocol::ids::LeaseId;
use sublet_protocol::lease::{Transfer, TransferKind};

/// Everything that is on its way. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Transfers(Arc<Mutex<BTreeMap<LeaseId, Bytes>>>);

#[derive(Debug, Clone)]
struct Bytes {
    what: TransferKind,
    before: Arc<AtomicU64>,
    done: Arc<AtomicU64>,
    total: Arc<AtomicU64>,
}

/// One way, from its beginning until it is dropped.
#[derive(Debug)]
pub struct Moving {
    transfers: Transfers,
    lease: LeaseId,
    bytes: Bytes,
}

impl Transfers {
    /// Something of a lease begins to move; a newer one replaces an older one.
    pub fn begin(&self, lease: &LeaseId, what: TransferKind, total_bytes: u64) -> Moving {
        let bytes = Bytes {
            what,
            before: Arc::default(),
            done: Arc::default(),
            total: Arc::new(AtomicU64::new(total_bytes)),
        };
        self.all().insert(lease.clone(), bytes.clone());
        Moving {
            transfers: self.clone(),
            lease: lease.clone(),
            bytes,
        }
    }

    /// What is on its way for a lease.
    pub fn of(&self, lease: &LeaseId) -> Option<Transfer> {
        let bytes = self.all().get(lease).cloned()?;
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let done_bytes = read(&bytes.before).saturating_add(read(&bytes.done));
        Some(Transfer {
            what: bytes.what,
            done_bytes,
            total_bytes: read(&bytes.total).max(done_bytes),
        })
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<LeaseId, Bytes>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Moving {
    /// Where whoever moves the bytes of one file counts them.
    pub fn counter(&self) -> &Arc<AtomicU64> {
        &self.bytes.done
    }

    /// A file is there, whole; the next one begins.
    pub fn next(&self, file_bytes: u64) {
        self.bytes.done.store(0, Ordering::Relaxed);
        self.bytes.before.fetch_add(file_bytes, Ordering::Relaxed);
    }

    /// How much it is in all, as it turns out.
    pub fn total(&self, bytes: u64) {
        self.bytes.total.store(bytes, Ordering::Relaxed);
    }
}

impl Drop for Moving {
    fn drop(&mut self) {
        let mut all = self.transfers.all();
        let ours = |bytes: &Bytes| Arc::ptr_eq(&bytes.done, &self.bytes.done);
        if all.get(&self.lease).is_some_and(ours) {
            all.remove(&self.lease);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_add_up_over_files_and_go_with_their_way() {
        let transfers = Transfers::default();
        let lease = LeaseId::new("lease-1").unwrap();
        let first = transfers.begin(&lease, TransferKind::Inputs, 100);
        first.counter().store(30, Ordering::Relaxed);
        first.next(40);
        first.counter().store(5, Ordering::Relaxed);
        let told = transfers.of(&lease).unwrap();
        assert_eq!((told.done_bytes, told.total_bytes), (45, 100));
        let second = transfers.begin(&lease, TransferKind::Outputs, 7);
        drop(first);
        assert_eq!(transfers.of(&lease).unwrap().what, TransferKind::Outputs);
        drop(second);
        assert_eq!(transfers.of(&lease), None);
    }
}
