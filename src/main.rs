//! The binary.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[path = "cli/part.rs"]
mod part;

#[derive(Parser)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Be one of the MCP parts.
    #[command(subcommand, hide = true)]
    Part(part::PartCommand),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Part(part) => ExitCode::from(part.run()),
    }
}
