//! The table that a bench prints, and its JSON line.

use serde_json::{Map, Value, json};

/// Where a figure ought to be.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl Goal {
    fn met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::AtMost(most) => value <= most,
        }
    }

    fn text(self) -> String {
        match self {
            Self::AtLeast(least) => format!("at least {least}"),
            Self::AtMost(most) => format!("at most {most}"),
        }
    }
}

/// One figure, with its unit and its goal if it has one.
struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    goal: Option<Goal>,
}

/// The figures of a bench, in order.
pub(crate) struct Report {
    bench: &'static str,
    rows: Vec<Row>,
    skipped: Vec<(String, String)>,
}

impl Report {
    pub(crate) fn new(bench: &'static str) -> Self {
        Self { bench, rows: Vec::new(), skipped: Vec::new() }
    }

    pub(crate) fn add(&mut self, name: impl Into<String>, value: f64, unit: &'static str) {
        self.rows.push(Row { name: name.into(), value, unit, goal: None });
    }

    pub(crate) fn add_with_goal(
        &mut self,
        name: impl Into<String>,
        value: f64,
        unit: &'static str,
        goal: Goal,
    ) {
        self.rows.push(Row { name: name.into(), value, unit, goal: Some(goal) });
    }

    /// Says loudly, now and below the table, that a figure is missing.
    pub(crate) fn skip(&mut self, name: impl Into<String>, reason: impl Into<String>) {
        let skipped = (name.into(), reason.into());
        eprintln!("NOT MEASURED: {}: {}", skipped.0, skipped.1);
        self.skipped.push(skipped);
    }

    /// The figures that are not where they ought to be, in words.
    pub(crate) fn missed(&self) -> Vec<String> {
        let missed = self.rows.iter().filter_map(|row| {
            let goal = row.goal.filter(|goal| !goal.met(row.value))?;
            let Row { name, value, unit, .. } = row;
            Some(format!("{name} is {} {unit}, expected {}", figure(*value), goal.text()))
        });
        missed.collect()
    }

    /// Prints the table, and with `json` the same as one line of JSON.
    pub(crate) fn print(&self, json: bool) {
        println!("\n{}", self.bench);
        for Row { name, value, unit, goal } in &self.rows {
            let goal = goal.map_or(String::new(), |goal| {
                let met = if goal.met(*value) { "yes" } else { "no" };
                format!("  goal: {}, goal met: {met}", goal.text())
            });
            println!("  {name:<48} {:>12} {unit:<10}{goal}", figure(*value));
        }
        for (name, reason) in &self.skipped {
            println!("  {name:<48} NOT MEASURED: {reason}");
        }
        if json {
            println!("{}", self.json());
        }
    }

    fn json(&self) -> Value {
        let rows = self.rows.iter().map(|row| {
            let mut fields = Map::new();
            fields.insert("name".into(), json!(row.name));
            fields.insert("value".into(), json!(row.value));
            fields.insert("unit".into(), json!(row.unit));
            if let Some(goal) = row.goal {
                fields.insert("goal".into(), json!(goal.text()));
                fields.insert("goal_met".into(), json!(goal.met(row.value)));
            }
            Value::Object(fields)
        });
        let skipped =
            self.skipped.iter().map(|(name, reason)| json!({ "name": name, "reason": reason }));
        json!({
            "bench": self.bench,
            "figures": rows.collect::<Vec<_>>(),
            "not_measured": skipped.collect::<Vec<_>>(),
        })
    }
}

/// Three digits behind the point where they matter.
fn figure(value: f64) -> String {
    if value.abs() >= 100.0 { format!("{value:.0}") } else { format!("{value:.3}") }
}
