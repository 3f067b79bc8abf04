//! `pipelines/prices.toml`: one-minute log returns, in basis points. There is no usable signal in their mean; what there is to
//! learn is how wide they will be, beside EWMA and GARCH(1,1) with Student's t.

use super::data_set::{DataSet, FORECASTS, Rows, Scored, Units};
use super::order;
use super::seeds::Seeds;
use crate::bar::Bar;
use crate::running::Done;

/// Each with the NLL that it must reach.
fn data_sets() -> [(DataSet, f64); 2] {
    let bitcoin = DataSet {
        name: "BTC",
        about: "log returns in basis points, minute by minute; after 2,000 rows",
        pipeline: "prices.toml",
        source: "minutes",
        file: "btc_perp_1m.parquet",
        time: "ts",
        key: None,
        targets: &["close"],
        scored: Scored::Rows(2000..i64::MAX),
        units: Units::Own,
        rows: Rows::Returns,
        sinks: &[FORECASTS],
        overrides: &[],
    };
    let pound = DataSet {
        name: "GBPUSD",
        file: "gbpusd_1m.parquet",
        targets: &["mid"],
        overrides: &["source.minutes.path=data/gbpusd_1m.parquet", "operator.forecast.targets=[\"mid\"]"],
        ..bitcoin.clone()
    };
    [(pound, 1.431), (bitcoin, 3.418)]
}

/// Prints the scores and returns the bars.
pub(super) fn run(seeds: u64) -> Done<Vec<Bar>> {
    let mut bars = Vec::new();
    for (prices, most) in data_sets() {
        let passes = Seeds::run(&prices, seeds, &[])?;
        passes.print(1)?;
        bars.push(passes.spread(1, |figures| figures.nll)?.at_most(format!("{}, NLL", prices.name), most));
        bars.push(passes.coverage()?);
        bars.push(order::bar(&prices, &passes)?);
    }
    Ok(bars)
}
