//! The plan of a scenario, for `check`.
use super::Scenario;
/// The plan.
pub fn render_plan(scenario: &Scenario) -> String {
    format!("{:#?}", scenario.draft())
}
