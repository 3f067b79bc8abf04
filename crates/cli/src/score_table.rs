//! The table of scores at the end of a run.

use comfy_table::{Cell, CellAlignment};

use crate::layout;
use crate::scores::{Block, Row, STATS};

/// A block of scores with its title.
pub(crate) fn render(block: &Block) -> String {
    let by_target = block.rows.iter().any(|row| row.target.is_some());
    let mut table = layout::table();
    let mut header = Vec::new();
    if by_target {
        header.push(left("target"));
    }
    header.push(left("model"));
    let columns = if block.of_classes { &COLUMNS_OF_CLASSES[..] } else { &COLUMNS_OF_NUMBERS[..] };
    header.push(right("events"));
    header.extend(columns.iter().map(|column| right(column.title)));
    table.set_header(header);
    let mut last_target = None;
    for row in &block.rows {
        let mut cells = Vec::new();
        if by_target {
            // A target is named on its first line only.
            cells.push(left(if last_target == Some(&row.target) { "" } else { row.target.as_deref().unwrap_or("") }));
            last_target = Some(&row.target);
        }
        cells.push(left(&row.model));
        cells.push(right(&layout::grouped(row.events)));
        cells.extend(columns.iter().map(|column| right(&column.figure(row))));
        table.add_row(cells);
    }
    format!("{}\n{}{}", title(block), layout::text(&table), not_computed(block))
}

/// Says why the operator's own CRPS is missing where others have one: that of a mixture is an integral, worked out where asked for.
fn not_computed(block: &Block) -> String {
    let crps = |row: &Row| COLUMNS_OF_NUMBERS[CRPS].figure(row);
    let misses =
        |row: &Row| row.model == block.operator && crps(row) == NONE && COLUMNS_OF_NUMBERS[NLL].figure(row) != NONE;
    if block.of_classes || !block.rows.iter().any(misses) || block.rows.iter().all(|row| crps(row) == NONE) {
        return String::new();
    }
    format!("The CRPS of `{}` was not computed: put \"crps\" among its `columns`.\n", block.operator)
}

fn title(block: &Block) -> String {
    let mut title = format!("{} · {}", block.operator, range(&block.range));
    if block.several_horizons || block.horizon != "1" {
        let steps = if block.horizon == "1" { "step" } else { "steps" };
        title.push_str(&format!(" · {} {steps} ahead", block.horizon));
    }
    if block.of_classes {
        return title;
    }
    let units = match (block.standardised, block.targets) {
        (true, 0 | 1) => "in standard deviations of the target".to_owned(),
        (true, targets) if (1..targets).contains(&block.targets_known) => {
            format!("mean of {} of {targets} targets, each in its standard deviations", block.targets_known)
        }
        (true, targets) => format!("mean of {targets} targets, each in its standard deviations"),
        (false, 0 | 1) => "in the target's own unit".to_owned(),
        (false, _) => "each target in its own unit".to_owned(),
    };
    format!("{title} · {units}")
}

fn range(range: &str) -> &str {
    match range {
        "all" => "all events",
        "learning" => "the first events, while it is still learning",
        "scored" => "scored events",
        other => other,
    }
}

/// A column of the table.
struct Column {
    title: &'static str,
    /// One of [`STATS`].
    stat: &'static str,
    /// Shares are shown in per cent: coverage is to be compared with the level in its heading.
    is_share: bool,
}

const fn plain(title: &'static str, stat: &'static str) -> Column {
    Column { title, stat, is_share: false }
}

const fn share(title: &'static str, stat: &'static str) -> Column {
    Column { title, stat, is_share: true }
}

/// What stands in place of a figure that there is not.
const NONE: &str = "–";
const NLL: usize = 0;
const CRPS: usize = 1;

const COLUMNS_OF_NUMBERS: [Column; 8] = [
    plain("NLL", "nll"),
    plain("CRPS", "crps"),
    plain("MAE", "mae"),
    plain("MSE", "mse"),
    plain("RMSE", "rmse"),
    share("50 %", "coverage50"),
    share("80 %", "coverage80"),
    share("95 %", "coverage95"),
];

const COLUMNS_OF_CLASSES: [Column; 4] = [
    plain("bits", "bits"),
    plain("Brier", "brier"),
    share("right, %", "accuracy"),
    share("off, %", "calibration_error"),
];

impl Column {
    fn figure(&self, row: &Row) -> String {
        let stat = STATS.iter().position(|stat| *stat == self.stat);
        let value = stat.map_or(f64::NAN, |stat| row.means[stat]);
        if self.is_share { percent(value) } else { figure(value) }
    }
}

fn figure(value: f64) -> String {
    match value {
        value if value.is_nan() => NONE.to_owned(),
        value if value == 0.0 || (1e-3..1e5).contains(&value.abs()) => format!("{value:.3}"),
        value => format!("{value:.2e}"),
    }
}

fn percent(share: f64) -> String {
    if share.is_nan() { NONE.to_owned() } else { format!("{:.1}", share * 100.0) }
}

fn left(text: &str) -> Cell {
    Cell::new(text)
}

fn right(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::blocks;
    use crate::testing::{score, score_of_class, standardised};
    use sluicegate::Sample;

    fn text(samples: &[Sample]) -> String {
        blocks(samples).iter().map(render).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn a_standardised_block_has_one_line_per_model() {
        let mut samples = standardised("forecast");
        for target in ["OT", "HUFL"] {
            samples.extend(score("forecast", "p", "forecast", target, 1, "all", 17_419.0, 0.171));
            samples.extend(score("forecast", "p", "persistence", target, 1, "all", 17_419.0, 0.466));
            samples.extend(score("forecast", "p", "ar", target, 1, "all", 17_419.0, 0.322));
        }
        insta::assert_snapshot!(text(&samples), @r"
        forecast · all events · mean of 2 targets, each in its standard deviations
        ───────────────────────────────────────────────────────────────────────────────────
         model         events     NLL    CRPS     MAE     MSE    RMSE   50 %   80 %   95 %
        ═══════════════════════════════════════════════════════════════════════════════════
         forecast      17,419   0.171   0.171   0.171   0.029   0.171   50.0   50.0   50.0
         ar            17,419   0.322   0.322   0.322   0.104   0.322   50.0   50.0   50.0
         persistence   17,419   0.466   0.466   0.466   0.217   0.466   50.0   50.0   50.0
        ───────────────────────────────────────────────────────────────────────────────────
        ");
    }

    #[test]
    fn raw_scores_have_a_line_per_target_and_model() {
        let mut samples = Vec::new();
        for (target, value) in [("volume", 1_234_567.0), ("spread", 0.000_123)] {
            samples.extend(score("forecast", "p", "forecast", target, 24, "scored", 100.0, value));
            samples.extend(score("forecast", "p", "ar", target, 24, "scored", 100.0, f64::NAN));
        }
        insta::assert_snapshot!(text(&samples), @r"
        forecast · scored events · 24 steps ahead · each target in its own unit
        ───────────────────────────────────────────────────────────────────────────────────────────────────
         target   model      events       NLL      CRPS       MAE       MSE      RMSE   50 %   80 %   95 %
        ═══════════════════════════════════════════════════════════════════════════════════════════════════
         spread   forecast      100   1.23e-4   1.23e-4   1.23e-4   1.51e-8   1.23e-4   50.0   50.0   50.0
                  ar            100         –         –         –         –         –      –      –      –
         volume   forecast      100    1.23e6    1.23e6    1.23e6   1.52e12    1.23e6   50.0   50.0   50.0
                  ar            100         –         –         –         –         –      –      –      –
        ───────────────────────────────────────────────────────────────────────────────────────────────────
        ");
    }

    #[test]
    fn classes_have_columns_of_their_own() {
        let mut samples = Vec::new();
        for (model, value) in [("forecast", 0.25), ("ar", 0.5)] {
            samples.extend(score_of_class("forecast", model, "light", 1_000.0, value));
        }
        insta::assert_snapshot!(text(&samples), @r"
        forecast · all events
        ───────────────────────────────────────────────────────
         model      events    bits   Brier   right, %   off, %
        ═══════════════════════════════════════════════════════
         forecast    1,000   0.250   0.250       25.0     25.0
         ar          1,000   0.500   0.500       50.0     50.0
        ───────────────────────────────────────────────────────
        ");
    }

    #[test]
    fn a_target_that_never_varied_has_dashes_and_is_left_out_of_means() {
        let mut samples = standardised("forecast");
        samples.extend(score("forecast", "p", "forecast", "idle", 1, "all", 500.0, f64::NAN));
        insta::assert_snapshot!(text(&samples), @r"
        forecast · all events · in standard deviations of the target
        ────────────────────────────────────────────────────────────────────────
         model      events   NLL   CRPS   MAE   MSE   RMSE   50 %   80 %   95 %
        ════════════════════════════════════════════════════════════════════════
         forecast      500     –      –     –     –      –      –      –      –
        ────────────────────────────────────────────────────────────────────────
        ");
        samples.extend(score("forecast", "p", "forecast", "load", 1, "all", 500.0, 0.25));
        let text = text(&samples);
        assert!(text.starts_with("forecast · all events · mean of 1 of 2 targets, each in"), "{text}");
    }

    #[test]
    fn a_crps_that_only_the_mixture_lacks_is_explained() {
        let mut samples = Vec::new();
        for model in ["forecast", "ar"] {
            samples.extend(score("forecast", "p", model, "y", 1, "all", 10.0, 0.5));
        }
        assert!(!text(&samples).contains("not computed"));
        let of_mixture =
            |sample: &&mut Sample| (sample.label("model"), sample.label("stat")) == (Some("forecast"), Some("crps"));
        samples.iter_mut().filter(of_mixture).for_each(|sample| sample.value = f64::NAN);
        let told = "The CRPS of `forecast` was not computed: put \"crps\" among its `columns`.\n";
        assert!(text(&samples).ends_with(told), "{}", text(&samples));
    }

    #[test]
    fn the_widest_table_fits() {
        let long = "a-model-with-a-name-as-long-as-names-may-be-which-is-64-letters";
        let mut samples = score(long, "p", long, long, 96, "learning", 123_456_789.0, -123_456.789);
        samples.extend(score(long, "p", "ar", "other", 96, "learning", 1.0, 1.0));
        let text = text(&samples);
        let table = text.lines().skip(1);
        assert!(table.clone().count() > 4);
        for line in table {
            assert!(line.chars().count() <= layout::COLUMNS_MAX, "{line}");
        }
    }
}
