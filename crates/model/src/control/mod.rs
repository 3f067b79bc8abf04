//! Controls: simple models that a network has to beat, each a [`Predictor`](crate::Predictor) like any other.

mod autoregression;
pub mod classes;
mod persistence;
mod residual;

pub use autoregression::{Autoregression, AutoregressionConfig};
pub use persistence::Persistence;
