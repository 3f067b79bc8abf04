//! Calls into components, with panics turned into errors.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use sluicegate_core::BoxError;

use crate::{Place, StreamError};

/// Runs a component's code. Whatever goes wrong in it comes back as an error that names the component.
///
/// The component must not be used again after an error: a panic may have left it half-changed.
pub(crate) fn contain<T>(place: &Place, call: impl FnOnce() -> Result<T, BoxError>) -> Result<T, StreamError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(StreamError::Failed { place: place.clone(), source: Arc::from(error) }),
        Err(payload) => Err(StreamError::Panicked { place: place.clone(), message: panic_message(&*payload) }),
    }
}

/// What a panic said, where it said something.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
