//! The calibration as a picture: a reliability diagram in SVG (DeGroot and Fienberg, "The Comparison and Evaluation of
//! Forecasters", 1983), both axes logarithmic, with the counts and the 95 % interval of each point.
//!
//! Nothing that came out of a file is in it but numbers. Colours follow the reader's preference for dark or light.

use super::measure::{Evaluation, OddsMeasure};
use super::report::odds_named;
use super::run::LAST_DECADE;
use std::fmt::Write;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 480.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 60.0;
const BOTTOM: f64 = 90.0;
/// The vertical axis reaches down to 1 in 10 to the power of this; shares of 0 stand on it.
const SHARE_DECADES: f64 = 6.0;
const SMALLEST_RADIUS: f64 = 3.0;

/// Plain properties: not every renderer knows variables.
const STYLE: &str = "
  text { fill: #1f2328; font: 12px sans-serif; }
  .title { font-size: 15px; font-weight: bold; }
  .ground, .none { fill: #ffffff; }
  .grid { stroke: #d0d7de; }
  .ideal { stroke: #1f2328; stroke-dasharray: 5 4; }
  .interval, .point { stroke: #0969da; stroke-width: 2; }
  .whole { fill: #0969da; }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3; }
    .ground, .none { fill: #0d1117; }
    .grid { stroke: #30363d; }
    .ideal { stroke: #e6edf3; }
    .interval, .point { stroke: #58a6ff; }
    .whole { fill: #58a6ff; }
  }
";

impl Evaluation {
    /// The diagram of this evaluation.
    pub fn plot(&self) -> String {
        let odds = self.odds();
        let mut svg = String::new();
        // Writing to a String cannot fail.
        let _ = write!(
            svg,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-labelledby=\"title what\">\n<title id=\"title\">Calibration of stated odds</title>\n<desc id=\"what\">{}</desc>\n\
             <style>{STYLE}</style>\n<rect class=\"ground\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n",
            described(&odds)
        );
        text(&mut svg, (LEFT, 24.0), "start", "title", "Stated odds and what happened");
        let what = "share of incidents that were false, by the odds they stated; bars: 95 % interval";
        text(&mut svg, (LEFT, 44.0), "start", "", what);
        grid(&mut svg);
        line(&mut svg, (x_of(0.0), y_of(1.0)), (x_of(-SHARE_DECADES), y_of(10f64.powf(-SHARE_DECADES))), "ideal");
        odds.iter().for_each(|measure| point(&mut svg, measure));
        if odds.is_empty() {
            text(&mut svg, ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT / 2.0), "middle", "", "no incident stated odds");
        }
        svg.push_str("</svg>\n");
        svg
    }
}

/// The same for those who cannot see it.
fn described(odds: &[OddsMeasure]) -> String {
    let told = odds.iter().map(|measure| {
        format!(
            "odds {}: {} of {} incidents false",
            odds_named(measure.decade),
            measure.chance.count,
            measure.chance.of
        )
    });
    told.collect::<Vec<_>>().join("; ")
}

fn grid(svg: &mut String) {
    for decade in 0..=LAST_DECADE {
        let x = x_of(-f64::from(decade));
        line(svg, (x, TOP), (x, HEIGHT - BOTTOM), "grid");
        text(svg, (x, HEIGHT - BOTTOM + 18.0), "middle", "", &power(decade));
    }
    for decade in 0..=SHARE_DECADES as u32 {
        let y = y_of(10f64.powf(-f64::from(decade)));
        line(svg, (LEFT, y), (WIDTH - RIGHT, y), "grid");
        text(svg, (LEFT - 8.0, y + 4.0), "end", "", &power(decade));
    }
    let middle = (LEFT + WIDTH - RIGHT) / 2.0;
    text(svg, (middle, HEIGHT - BOTTOM + 40.0), "middle", "", "stated odds (1e-12: and below)");
    let under = "number: incidents; hollow: none of them false; dashed: as stated";
    text(svg, (middle, HEIGHT - BOTTOM + 62.0), "middle", "", under);
}

fn point(svg: &mut String, measure: &OddsMeasure) {
    let Some(share) = measure.chance.share else { return };
    let x = x_of(0.5 - f64::from(measure.decade)); // the middle of its decade
    line(svg, (x, y_of(measure.chance.low)), (x, y_of(measure.chance.high)), "interval");
    let radius = SMALLEST_RADIUS + (1.0 + measure.chance.of as f64).log10() * 2.0;
    let class = if measure.chance.count == 0 { "point none" } else { "point whole" };
    let y = y_of(share);
    let _ = writeln!(svg, "<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"/>");
    text(svg, (x + radius + 4.0, y - 6.0), "start", "", &measure.chance.of.to_string());
}

fn power(decade: u32) -> String {
    if decade == 0 { "1".to_owned() } else { format!("1e-{decade}") }
}

/// Of odds, by the logarithm: 1 stands on the right.
fn x_of(exponent: f64) -> f64 {
    WIDTH - RIGHT + exponent / f64::from(LAST_DECADE) * (WIDTH - RIGHT - LEFT)
}

/// Of a share; the axis ends the fall of small ones.
fn y_of(share: f64) -> f64 {
    let decades = -share.max(10f64.powf(-SHARE_DECADES)).log10();
    TOP + decades / SHARE_DECADES * (HEIGHT - BOTTOM - TOP)
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64), class: &str) {
    let ((x1, y1), (x2, y2)) = (from, to);
    let _ = writeln!(svg, "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>");
}

/// `words` are ours: none of them needs escaping.
fn text(svg: &mut String, at: (f64, f64), anchor: &str, class: &str, words: &str) {
    let (x, y) = at;
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    let _ = writeln!(svg, "<text{class} x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{words}</text>");
}
