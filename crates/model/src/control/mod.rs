//! Controls: simple models that a network has to beat, each a [`Predictor`](crate::Predictor) like any other.
//!
//! | control | the point | how wide |
//! |---|---|---|
//! | [`Persistence`] | the last value | its own errors, fixed or fitted shape |
//! | [`Seasonal`] | the value of one period ago | its own errors |
//! | [`Autoregression`] | linear in the last values, by recursive least squares; [first order](Autoregression::first_order) too | its own errors |
//! | [`Ewma`] | the last value | fading variance of changes |
//! | [`Garch`] | the last value, or a drift from it | GARCH(1,1) variance of changes |

mod autoregression;
mod change;
pub mod classes;
mod ewma;
mod garch;
mod markov;
mod persistence;
mod residual;
mod seasonal;
mod tail;
#[cfg(test)]
mod testing;

pub use autoregression::{Autoregression, AutoregressionConfig};
pub use ewma::{Ewma, EwmaConfig};
pub use garch::{Garch, GarchConfig, GarchMean};
pub use persistence::{Persistence, PersistenceConfig};
pub use seasonal::{Seasonal, SeasonalConfig};
