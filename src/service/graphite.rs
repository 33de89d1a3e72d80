//! The figures of [`super::metrics`], pushed to Graphite in its plaintext protocol: `path value seconds`, a line each.
//!
//! Paths are `PREFIX.family.label.label`: what is no letter, digit, `_` or `-` in a label becomes `_`, since a dot parts
//! names and a blank ends them. Buckets of histograms are left out: Graphite has no use for them.

use super::metrics::Family;
use std::fmt::Write;

pub fn lines(prefix: &str, families: &[Family], seconds: u64) -> String {
    let mut text = String::new();
    for family in families {
        for sample in family.samples.iter().filter(|sample| sample.suffix != "_bucket") {
            let name = family.name.strip_prefix("apitap_").unwrap_or(family.name);
            // A String takes all that is written to it.
            let _ = write!(text, "{prefix}.{name}{}", sample.suffix);
            for (_, value) in &sample.labels {
                let _ = write!(text, ".{}", part_of(value));
            }
            let _ = writeln!(text, " {} {seconds}", sample.value);
        }
    }
    text
}

fn part_of(label: &str) -> String {
    let part: String =
        label.chars().map(|c| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' }).collect();
    if part.is_empty() { "_".to_owned() } else { part }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::service::metrics::{Kind, Sample};

    #[test]
    fn a_label_is_one_part_of_a_path() {
        let sample = |suffix, value| Sample { suffix, labels: vec![("endpoint", "/v1/a b.c".to_owned())], value };
        let family = Family {
            name: "apitap_x_total",
            help: "",
            kind: Kind::Histogram,
            samples: vec![sample("", 2.5), sample("_bucket", 1.0)],
        };
        assert_eq!(lines("site.a", &[family], 7), "site.a.x_total._v1_a_b_c 2.5 7\n");
    }
}
