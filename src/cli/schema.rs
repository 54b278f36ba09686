//! `e2e-tui schema`: what is read, and what is written, as JSON Schemas.

use std::io::Write;

use e2e_tui::{headless::Report, model::Event, model::exit_code, scenario::schema as scenario_schema};
use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::{Value, json};

use super::args::SchemaArgs;

/// Prints the schema that is asked for.
pub(super) fn main(args: &SchemaArgs) -> anyhow::Result<u8> {
    let schema = match (args.report, args.events) {
        (true, _) => written::<Report>("The report of a run of e2e-tui: run --report json=FILE"),
        (_, true) => written::<Event>("An event of a run of e2e-tui: a line of run --events, or of a recording's events.jsonl"),
        _ => scenario_schema(),
    };
    writeln!(std::io::stdout(), "{schema:#}")?;
    Ok(exit_code::PASSED)
}

/// The schema of what this version writes, made of the very type that is written. Later versions may add fields and events:
/// whoever reads them passes over what they do not know.
fn written<T: JsonSchema>(title: &str) -> Value {
    let mut schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<T>().to_value();
    schema["title"] = json!(title);
    schema
}
