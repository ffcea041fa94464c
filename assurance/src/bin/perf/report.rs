//! The table.

pub(crate) struct Row {
    pub(crate) asked: String,
    pub(crate) measured: String,
    pub(crate) baselines: String,
    /// `None` for what is only told.
    pub(crate) is_met: Option<bool>,
}

pub(crate) fn row(
    asked: impl Into<String>,
    measured: impl Into<String>,
    baselines: impl Into<String>,
    is_met: impl Into<Option<bool>>,
) -> Row {
    Row {
        asked: asked.into(),
        measured: measured.into(),
        baselines: baselines.into(),
        is_met: is_met.into(),
    }
}

pub(crate) fn heading() {
    println!(
        "| goal | asked | measured: median (middle half of the rounds, or all starts) | baselines in the same run | met |"
    );
    println!("|---|---|---|---|---|");
}

impl Row {
    pub(crate) fn print(&self, goal: &str) {
        let Self { asked, measured, baselines, is_met } = self;
        let is_met = is_met.map_or("told", |is_met| if is_met { "yes" } else { "no" });
        println!("| {goal} | {asked} | {measured} | {baselines} | {is_met} |");
    }
}
