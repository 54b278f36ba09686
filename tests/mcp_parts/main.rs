//! The MCP parts against each other and against independent peers, on real sockets and pipes.

mod chain;
mod conformance;
mod faults;
mod programs;
mod reverse;
mod rmcp_client;
mod rmcp_server;
mod rmcp_tap;
mod scenarios;
mod stateless;
mod stdio;
mod support;

#[path = "../support/real.rs"]
mod real;
