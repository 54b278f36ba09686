//! `mcp-validator`: the Python reference server of a checkout of mcp-validator, or a stand-in.

use std::path::PathBuf;

use super::{
    super::{
        super::names::Instance,
        state::{Scope, Walk},
    },
    recipe::{Recipe, TOKEN},
};
use crate::model::Text;

/// The variable that names the checkout.
const CHECKOUT: &str = "MCP_VALIDATOR_DIR";
/// The one token that the reference server takes; it cannot be told another.
const ITS_TOKEN: &str = "valid-test-token-123";

impl Walk<'_> {
    pub(super) fn mcp_validator(&mut self, instance: &Instance, listens: &[String]) -> Recipe {
        let scope = Scope::of(instance);
        self.required(instance, "listens", "this kind needs a port", "\"NAME\" with `[ports] NAME = \"auto\"`");
        let port = listens.first().map_or_else(|| Text::from("0"), |lease| self.leased_text(lease));
        let checkout = match instance.table.node("path") {
            Some(node) => self.path("path", node, scope),
            None => self.names.env.get(CHECKOUT).filter(|p| !p.is_empty()).map(PathBuf::from),
        };
        let mut env = Vec::new();
        if let Some(checkout) = checkout {
            let server = checkout.join("ref_http_server/reference_mcp_server.py").to_string_lossy().into_owned();
            let words = ["python3", &server, "--host", "127.0.0.1", "--port"].map(Text::from);
            return Recipe { argv: words.into_iter().chain([port]).collect(), ..Recipe::default() };
        }
        let mut argv = self.part(&["mock-upstream"]);
        argv.extend([Text::from("--port"), port]);
        self.token(&mut env, instance, "token", TOKEN);
        if env.is_empty() {
            env.push((TOKEN.to_owned(), Text::from(ITS_TOKEN)));
        }
        Recipe { argv, env, stand_in: true, ..Recipe::default() }
    }
}
