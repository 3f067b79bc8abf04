//! Pictures as SVG files: lines over a plain or logarithmic axis, and bars in groups. Text is left to whoever shows them, so no font
//! is needed here.

use std::fmt::Write as _;
use std::ops::Range;
use std::path::Path;

use sluicegate::BoxError;

/// Colours that people who are colour-blind tell apart (Okabe & Ito 2008).
const COLOURS: [&str; 6] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"];
/// So that lines can be told apart without colours, too.
const DASHES: [&str; 6] = ["", "7 3", "2 3", "9 3 2 3", "12 4", "4 4"];
const WIDTH: f64 = 800.0;
const HEIGHT: f64 = 460.0;
/// Where the axes are.
const LEFT: f64 = 78.0;
const RIGHT: f64 = 660.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = 396.0;
/// Smaller values than this are as good as none, and a line over a logarithmic axis ends before them.
const SMALLEST: f64 = 1e-12;

/// A picture, with all that is in it.
pub(super) struct Picture {
    title: &'static str,
    kind: Kind,
}

enum Kind {
    Lines {
        x: Axis,
        y: Axis,
        lines: Vec<Line>,
    },
    /// One bar for each name in each group.
    Bars {
        unit: &'static str,
        names: Vec<String>,
        groups: Vec<(String, Vec<f64>)>,
    },
}

/// What an axis is of.
pub(super) struct Axis {
    what: &'static str,
    spacing: Spacing,
}

#[derive(Clone, Copy, PartialEq)]
enum Spacing {
    Linear,
    /// Of whole numbers, without ticks between them.
    Whole,
    Logarithmic,
}

impl Axis {
    pub(super) fn linear(what: &'static str) -> Self {
        Self { what, spacing: Spacing::Linear }
    }

    /// Of whole numbers.
    pub(super) fn whole(what: &'static str) -> Self {
        Self { what, spacing: Spacing::Whole }
    }

    pub(super) fn logarithmic(what: &'static str) -> Self {
        Self { what, spacing: Spacing::Logarithmic }
    }

    /// Whether there is a place for a value on it.
    fn shows(&self, value: f64) -> bool {
        value.is_finite() && (self.spacing != Spacing::Logarithmic || value >= SMALLEST)
    }

    /// From values on it to places on the paper, with a share of room at both ends; `None` without values.
    fn scale(&self, values: impl Iterator<Item = f64>, room: f64, places: Range<f64>) -> Option<Scale> {
        match self.spacing {
            Spacing::Linear => Scale::linear(values, room, 0.0, places),
            Spacing::Whole => Scale::linear(values, room, 1.0, places),
            Spacing::Logarithmic => Scale::logarithmic(values, places),
        }
    }
}

/// A line with its name.
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

impl Line {
    /// Values at 0, 1, ….
    pub(super) fn by_index(name: &str, values: &[f64]) -> Self {
        let points = values.iter().enumerate().map(|(at, value)| (at as f64, *value)).collect();
        Self { name: name.to_owned(), points }
    }

    /// Its points, without those for which there is no place: wherever some are missing, another stretch begins.
    fn stretches<'a>(&'a self, y: &'a Axis) -> impl Iterator<Item = &'a [(f64, f64)]> {
        self.points.split(|point| !y.shows(point.1)).filter(|stretch| !stretch.is_empty())
    }
}

impl Picture {
    pub(super) fn lines(title: &'static str, x: Axis, y: Axis, lines: Vec<Line>) -> Self {
        Self { title, kind: Kind::Lines { x, y, lines } }
    }

    pub(super) fn bars(
        title: &'static str,
        unit: &'static str,
        names: Vec<String>,
        groups: Vec<(String, Vec<f64>)>,
    ) -> Self {
        Self { title, kind: Kind::Bars { unit, names, groups } }
    }

    /// Draws it into a file.
    pub(super) fn write(&self, path: &Path) -> Result<(), BoxError> {
        let mut svg = Svg::new(self.title);
        match &self.kind {
            Kind::Lines { x, y, lines } => draw_lines(&mut svg, x, y, lines)?,
            Kind::Bars { unit, names, groups } => draw_bars(&mut svg, unit, names, groups)?,
        }
        Ok(std::fs::write(path, svg.finish()?)?)
    }
}

fn draw_lines(svg: &mut Svg, x: &Axis, y: &Axis, lines: &[Line]) -> Result<(), BoxError> {
    let points = || lines.iter().flat_map(|line| line.stretches(y)).flatten();
    let across = x.scale(points().map(|point| point.0), 0.0, LEFT..RIGHT);
    let up = y.scale(points().map(|point| point.1), 0.06, BOTTOM..TOP);
    let (Some(across), Some(up)) = (across, up) else { return Err("there is nothing to draw".into()) };
    svg.y_axis(y.what, &up)?;
    svg.x_axis(x.what, &across)?;
    for (place, line) in lines.iter().enumerate() {
        let (colour, dashes) = (COLOURS[place % COLOURS.len()], DASHES[place % DASHES.len()]);
        let stroke = format!("fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.2\" stroke-dasharray=\"{dashes}\"");
        for stretch in line.stretches(y) {
            // There is no line through one point.
            if let [(x, y)] = stretch {
                let (x, y) = (across.at(*x), up.at(*y));
                writeln!(svg.text, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{colour}\"/>")?;
                continue;
            }
            let path: Vec<String> =
                stretch.iter().map(|(x, y)| format!("{:.1},{:.1}", across.at(*x), up.at(*y))).collect();
            writeln!(svg.text, "<polyline points=\"{}\" {stroke} stroke-linejoin=\"round\"/>", path.join(" "))?;
        }
        let at = legend_at(place);
        writeln!(svg.text, "<path d=\"M{},{at} h28\" {stroke}/>", RIGHT + 14.0)?;
        svg.write((RIGHT + 48.0, at + 5.0), "start", &line.name)?;
    }
    Ok(())
}

fn draw_bars(svg: &mut Svg, unit: &str, names: &[String], groups: &[(String, Vec<f64>)]) -> Result<(), BoxError> {
    let values = groups.iter().flat_map(|(_, values)| values).copied().filter(|value| value.is_finite());
    // With room above the highest bar for the number on it.
    let values = values.chain([0.0]).map(|value| value * 1.1);
    let up = Scale::linear(values, 0.0, 0.0, BOTTOM..TOP).ok_or("there is nothing to draw")?;
    svg.y_axis(unit, &up)?;
    let group_width = (RIGHT - LEFT) / groups.len().max(1) as f64;
    let bar_width = group_width * 0.76 / names.len().max(1) as f64;
    for (group, (name, values)) in groups.iter().enumerate() {
        let left = LEFT + group_width * group as f64;
        svg.write((left + group_width / 2.0, BOTTOM + 22.0), "middle", name)?;
        for (place, value) in values.iter().enumerate().filter(|(_, value)| value.is_finite()) {
            let (x, top) = (left + group_width * 0.12 + bar_width * place as f64, up.at(*value));
            let (width, height, colour) = (bar_width * 0.9, BOTTOM - top, COLOURS[place % COLOURS.len()]);
            writeln!(
                svg.text,
                "<rect x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
            )?;
            svg.write((x + width / 2.0, top - 5.0), "middle", &format!("{value:.1}"))?;
        }
    }
    for (place, name) in names.iter().enumerate() {
        let (at, colour) = (legend_at(place), COLOURS[place % COLOURS.len()]);
        let x = RIGHT + 22.0;
        writeln!(svg.text, "<rect x=\"{x}\" y=\"{}\" width=\"16\" height=\"12\" fill=\"{colour}\"/>", at - 6.0)?;
        svg.write((RIGHT + 48.0, at + 5.0), "start", name)?;
    }
    Ok(())
}

fn legend_at(place: usize) -> f64 {
    TOP + 14.0 + 24.0 * place as f64
}

/// The file in the making.
struct Svg {
    text: String,
}

impl Svg {
    fn new(title: &str) -> Self {
        let text = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" width=\"{WIDTH}\" height=\"{HEIGHT}\" \
             font-family=\"Helvetica, Arial, sans-serif\" font-size=\"14\" fill=\"#333333\" role=\"img\">\n\
             <title>{0}</title>\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n\
             <text x=\"{LEFT}\" y=\"30\" font-size=\"19\" font-weight=\"bold\">{0}</text>\n",
            escaped(title)
        );
        Self { text }
    }

    fn finish(mut self) -> Result<String, BoxError> {
        writeln!(self.text, "<path d=\"M{LEFT},{TOP} V{BOTTOM} H{RIGHT}\" fill=\"none\" stroke=\"#666666\"/>\n</svg>")?;
        Ok(self.text)
    }

    fn write(&mut self, (x, y): (f64, f64), anchor: &str, text: &str) -> Result<(), BoxError> {
        let text = escaped(text);
        Ok(writeln!(self.text, "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>")?)
    }

    fn x_axis(&mut self, what: &str, scale: &Scale) -> Result<(), BoxError> {
        for tick in &scale.ticks {
            let x = scale.at(*tick);
            writeln!(self.text, "<path d=\"M{x:.1},{BOTTOM} v5\" stroke=\"#666666\"/>")?;
            self.write((x, BOTTOM + 21.0), "middle", &short(*tick))?;
        }
        self.write(((LEFT + RIGHT) / 2.0, BOTTOM + 46.0), "middle", what)
    }

    fn y_axis(&mut self, what: &str, scale: &Scale) -> Result<(), BoxError> {
        for tick in &scale.ticks {
            let y = scale.at(*tick);
            writeln!(self.text, "<path d=\"M{LEFT},{y:.1} H{RIGHT}\" stroke=\"#e4e4e4\"/>")?;
            self.write((LEFT - 8.0, y + 5.0), "end", &short(*tick))?;
        }
        let (y, what) = ((TOP + BOTTOM) / 2.0, escaped(what));
        writeln!(self.text, "<text transform=\"translate(20,{y}) rotate(-90)\" text-anchor=\"middle\">{what}</text>")?;
        Ok(())
    }
}

/// From values to places on the paper.
struct Scale {
    is_logarithmic: bool,
    values: Range<f64>,
    places: Range<f64>,
    ticks: Vec<f64>,
}

impl Scale {
    /// With a share of room above and below, and no ticks closer than `step_min`; `None` without values.
    fn linear(values: impl Iterator<Item = f64>, room: f64, step_min: f64, places: Range<f64>) -> Option<Self> {
        let (low, high) = bounds(values)?;
        // A single value stands in the middle.
        let (low, high) = if high - low < 1e-9 { (low - 0.5, high + 0.5) } else { (low, high) };
        let room = (high - low) * room;
        let (low, high) = (low - room, high + room);
        let step = tick_step((high - low) / 5.0).max(step_min);
        let first = (low / step).ceil();
        let ticks =
            (0..12).map(|place| (first + f64::from(place)) * step).take_while(|tick| *tick <= high + step * 1e-6);
        Some(Self { is_logarithmic: false, ticks: ticks.collect(), values: low..high, places })
    }

    /// From one power of ten to another; `None` without values.
    fn logarithmic(values: impl Iterator<Item = f64>, places: Range<f64>) -> Option<Self> {
        let (low, high) = bounds(values.map(|value| value.max(SMALLEST).log10()))?;
        let (low, high) = (low.floor(), high.ceil().max(low.floor() + 1.0));
        let step = ((high - low) / 6.0).ceil();
        let ticks = (0..14).map(|place| low + f64::from(place) * step).take_while(|tick| *tick <= high);
        let ticks = ticks.map(|tick| 10f64.powf(tick)).collect();
        Some(Self { is_logarithmic: true, ticks, values: low..high, places })
    }

    fn at(&self, value: f64) -> f64 {
        let value = if self.is_logarithmic { value.max(SMALLEST).log10() } else { value };
        let share = (value - self.values.start) / (self.values.end - self.values.start);
        self.places.start + share * (self.places.end - self.places.start)
    }
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), value| (a.min(value), b.max(value)));
    low.is_finite().then_some((low, high))
}

/// The next of 1, 2, 5, 10, … times a power of ten.
fn tick_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|factor| factor * power).find(|step| *step >= least).unwrap_or(10.0 * power)
}

/// A number with as many digits as it needs.
fn short(value: f64) -> String {
    if value != 0.0 && value.abs() < 1e-3 {
        return format!("{value:.0e}");
    }
    let text = format!("{value:.3}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(picture: &Picture) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.svg");
        picture.write(&path).unwrap();
        std::fs::read_to_string(path).unwrap()
    }

    #[test]
    fn a_picture_names_its_axes_and_lines_and_leaves_out_what_is_not_known() {
        let lines =
            vec![Line::by_index("rnn", &[1.0, 0.1, 0.0]), Line::by_index("lstm", &[1.0, f64::NAN, f64::INFINITY])];
        let svg = drawn(&Picture::lines("Title", Axis::linear("lag"), Axis::logarithmic("norm"), lines));
        for text in ["Title", "lag", "norm", "rnn", "lstm"] {
            assert!(svg.contains(text), "{text} is not in it");
        }
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn ticks_are_round_and_text_is_escaped() {
        let ticks = |low: f64, high: f64| Scale::linear([low, high].into_iter(), 0.0, 0.0, 0.0..1.0).unwrap().ticks;
        assert_eq!(ticks(0.0, 63.0), [0.0, 20.0, 40.0, 60.0]);
        let whole = |high: f64| Axis::whole("").scale([0.0, high].into_iter(), 0.0, 0.0..1.0).unwrap().ticks;
        assert_eq!((whole(2.0), whole(63.0)), (vec![0.0, 1.0, 2.0], vec![0.0, 20.0, 40.0, 60.0]));
        assert_eq!(whole(0.0), [0.0], "a single seed");
        assert_eq!(
            ticks(-0.3, 0.7).iter().map(|tick| short(*tick)).collect::<Vec<_>>(),
            ["-0.2", "0", "0.2", "0.4", "0.6"]
        );
        let scale = Scale::logarithmic([1.0, 3e-7].into_iter(), 0.0..7.0).unwrap();
        assert_eq!((short(scale.ticks[0]).as_str(), scale.at(1e-7), scale.at(0.0)), ("1e-7", 0.0, -5.0));
        assert_eq!(escaped("a < b & c"), "a &lt; b &amp; c");
    }

    #[test]
    fn a_lone_point_is_a_dot_in_the_middle_and_a_gap_is_left_open() {
        let line = |values: &[f64]| Line::by_index("a", values);
        let svg = drawn(&Picture::lines("", Axis::whole(""), Axis::linear(""), vec![line(&[0.3])]));
        let middle = format!("<circle cx=\"{:.1}\" cy=\"{:.1}\"", (LEFT + RIGHT) / 2.0, (TOP + BOTTOM) / 2.0);
        assert!(svg.contains(&middle) && !svg.contains("<polyline"), "{svg}");
        let gap = vec![line(&[1.0, 2.0, f64::NAN, 3.0, 4.0, f64::INFINITY, 5.0])];
        let svg = drawn(&Picture::lines("", Axis::whole(""), Axis::linear(""), gap));
        assert_eq!((svg.matches("<polyline").count(), svg.matches("<circle").count()), (2, 1), "{svg}");
    }

    #[test]
    fn a_line_ends_where_values_are_too_small_for_a_logarithmic_axis() {
        let line = vec![Line::by_index("a", &[1.0, 1e-6, 1e-13, 0.0, 0.0])];
        let svg = drawn(&Picture::lines("", Axis::whole(""), Axis::logarithmic(""), line));
        assert!(svg.contains(&format!("points=\"{LEFT:.1},{TOP:.1} {RIGHT:.1},{BOTTOM:.1}\"")), "{svg}");
    }

    #[test]
    fn the_number_on_the_highest_bar_does_not_reach_the_title() {
        let svg = drawn(&Picture::bars("Title", "times", vec!["a".into()], vec![("time".to_owned(), vec![4.0])]));
        let label = svg.lines().find(|line| line.ends_with(">4.0</text>")).unwrap();
        let y: f64 = label.split("y=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap().parse().unwrap();
        // The title stands on 30, and digits are some 11 high.
        assert!(y - 11.0 > 38.0, "{label}");
    }

    #[test]
    fn bars_stand_in_groups_with_names() {
        let groups = vec![("time".to_owned(), vec![1.0, 2.0]), ("space".to_owned(), vec![1.0, 3.0])];
        let svg = drawn(&Picture::bars("Title", "times", vec!["a".into(), "b".into()], groups));
        assert!(["time", "space", "times"].iter().all(|text| svg.contains(text)));
    }

    #[test]
    fn nothing_to_draw_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let picture = Picture::lines("", Axis::linear(""), Axis::linear(""), vec![Line::by_index("a", &[f64::NAN])]);
        assert!(picture.write(&folder.path().join("a.svg")).is_err());
    }
}
