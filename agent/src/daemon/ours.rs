//! Which containers run jobs of ours: their processes on a GPU are nobody else's use of it.

use crate::sensors::GpuWatch;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use sublet_protocol::ids::LeaseId;

/// The containers by lease, told to whoever reads the GPUs. Clones share one list.
#[derive(Clone, Default)]
pub struct Ours {
    containers: Arc<Mutex<BTreeMap<LeaseId, String>>>,
    watch: Option<Arc<GpuWatch>>,
}

impl Ours {
    /// None yet.
    pub fn new(watch: Option<Arc<GpuWatch>>) -> Self {
        Self {
            containers: Arc::default(),
            watch,
        }
    }

    /// A lease's container, by its full id. To be said before it starts.
    pub fn add(&self, lease: LeaseId, container: String) {
        self.change(|containers| containers.insert(lease, container).is_none());
    }

    /// Forgets those that are not wanted any more.
    pub fn retain(&self, wanted: impl Fn(&LeaseId) -> bool) {
        self.change(|containers| {
            let before = containers.len();
            containers.retain(|lease, _| wanted(lease));
            containers.len() != before
        });
    }

    /// Those of one lease: none or one.
    pub fn of(&self, lease: &LeaseId) -> Vec<String> {
        let containers = self.containers.lock();
        let containers = containers.unwrap_or_else(PoisonError::into_inner);
        containers.get(lease).cloned().into_iter().collect()
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<LeaseId, String>) -> bool) {
        let containers = self.containers.lock();
        let mut containers = containers.unwrap_or_else(PoisonError::into_inner);
        if change(&mut containers)
            && let Some(watch) = &self.watch
        {
            watch.set_ours(containers.values().cloned().collect());
        }
    }
}
