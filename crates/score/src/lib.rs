//! Distributions and the scores of forecasts: log-likelihood, CRPS, PIT, quantiles.
//!
//! A forecast is a [`Distribution`]; an observation `y` turns it into a [`Score`]; a [`Tally`] sums the scores of one
//! series of forecasts. Everything is plain `f64` arithmetic on `Copy` values, the same result in every thread:
//! no state outside the values.
//!
//! | module | holds |
//! |---|---|
//! | [`student_t`] | [`TShape`], [`StudentT`]: Student's t with location and scale |
//! | [`gaussian`] | [`Gaussian`] |
//! | [`quantiles`] | [`Quantiles`]: stated by its quantiles |
//! | [`distribution`] | [`Distribution`]: one of the families above |
//! | [`mixture`] | [`Mixture`] of several, [`FixedShare`]: how its weights follow the data |
//! | [`choose()`] | choices by weight, for samples |
//! | [`pinball()`] | the score of one quantile |
//! | [`tally`] | [`Score`], [`Tally`]: scores and their sums |
//! | [`classes`] | [`ClassScore`], [`ClassTally`]: the same for forecasts of classes; [`mix`], [`ln_mix`] |
//! | [`drift`] | [`PageHinkley`]: notices when losses grow |
//! | [`nab`] | [`NabTally`]: scores of alarms by the Numenta Anomaly Benchmark |
//! | [`running`] | [`EwMeanSquare`], [`EwMoments`]: exponentially weighted statistics |
//!
//! ```
//! use sluicegate_score::{StudentT, TShape, Tally};
//!
//! let shape = TShape::new(8.0);
//! let mut tally = Tally::new();
//! for (location, y) in [(0.0, 0.3), (0.2, -0.1), (0.1, 0.4)] {
//!     let forecast = StudentT::new(location, 0.5, shape).ok_or("not a distribution")?;
//!     tally.add(&forecast.score(y));
//! }
//! assert_eq!(tally.n(), 3);
//! assert!((tally.mae().ok_or("empty")? - 0.3).abs() < 1e-12);
//! # Ok::<(), &str>(())
//! ```
//!
//! Scores are negatively oriented: smaller is better. Sources: Gneiting & Raftery (2007), "Strictly proper scoring
//! rules, prediction, and estimation", JASA 102; Jordan, Krüger & Lerch (2019), "Evaluating probabilistic forecasts
//! with scoringRules", Journal of Statistical Software 90(12).

pub mod classes;
pub mod distribution;
pub mod drift;
pub mod gaussian;
pub mod mixture;
pub mod nab;
pub mod quantiles;
pub mod running;
pub mod student_t;
pub mod tally;

mod choose;
mod gamma_ratio;
mod location_scale;
mod mixture_nodes;
mod pinball;
mod sum;
mod t_mass;
mod t_quantile;

pub use choose::choose;
pub use classes::{ClassScore, ClassTally, ln_mix, mix, most_probable};
pub use distribution::Distribution;
pub use drift::PageHinkley;
pub use gaussian::Gaussian;
pub use mixture::{FixedShare, Mixture};
pub use nab::NabTally;
pub use pinball::pinball;
pub use quantiles::Quantiles;
pub use running::{EwMeanSquare, EwMoments};
pub use student_t::{StudentT, TShape};
pub use tally::{INTERVALS, Score, Tally};

/// The probabilities at which every forecast states its quantiles: the median and the ends of the central 50, 80 and
/// 95 % intervals, ascending.
pub const LEVELS: [f64; 7] = [0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975];
