//! `mcp-validator`: the Python reference server of a checkout of mcp-validator, or a stand-in.

use std::path::PathBuf;

use super::{
    super::{
        super::{diagnostics::Diagnostic, names::Instance},
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
        let port = listens.first().map_or_else(|| Text::from("0"), |lease| self.leased_text(lease, Scope::of(instance)));
        let checkout = match instance.table.node("path") {
            Some(node) => self.path("path", node, scope),
            None => self.names.env.get(CHECKOUT).filter(|p| !p.is_empty()).map(PathBuf::from),
        };
        if let Some(checkout) = checkout {
            self.token_it_takes(instance, scope);
            let server = checkout.join("ref_http_server/reference_mcp_server.py").to_string_lossy().into_owned();
            let words = ["python3", &server, "--host", "127.0.0.1", "--port"].map(Text::from);
            return Recipe { argv: words.into_iter().chain([port]).collect(), ..Recipe::default() };
        }
        let mut argv = self.part(&["mcp-validator"]);
        argv.extend([Text::from("--port"), port]);
        let mut env = Vec::new();
        self.token(&mut env, instance, "token", TOKEN);
        Recipe { argv, env, stand_in: true, ..Recipe::default() }
    }

    /// The reference server cannot be told another token.
    fn token_it_takes(&mut self, instance: &Instance, scope: Scope<'_>) {
        let Some(node) = instance.table.node("token") else { return };
        if let Some(filled) = self.filled("token", node, scope)
            && filled.sample != ITS_TOKEN
        {
            self.out.push(
                Diagnostic::warning("the reference server takes one token only")
                    .at(node.span, "it will refuse this one")
                    .help(format!("use \"{ITS_TOKEN}\", or leave `path` and MCP_VALIDATOR_DIR out for the stand-in")),
            );
        }
    }
}
