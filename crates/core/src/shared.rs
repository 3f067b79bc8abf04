//! One value of each type, shared by the components of a pipeline.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// Values by their type. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Shared(Arc<Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>>);

impl Shared {
    /// The value of type `T`, made when it is first asked for.
    pub(crate) fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let value = values.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(T::default()));
        // The entry of a type never holds another type's value.
        Arc::clone(value).downcast().unwrap_or_default()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shared")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn clones_share_one_value_of_each_type() {
        let shared = Shared::default();
        shared.get::<AtomicU32>().store(7, Ordering::Relaxed);
        assert_eq!(shared.clone().get::<AtomicU32>().load(Ordering::Relaxed), 7);
        assert!(!*shared.get::<bool>());
    }
}
