//! The scenarios inside this program: each runs on any machine, with nothing else to install.

/// One of them.
#[derive(Debug, Clone, Copy)]
pub struct Bundled {
    /// Its name, without `.toml`.
    pub name: &'static str,
    /// The file.
    pub text: &'static str,
}

macro_rules! bundled {
    ($($name:literal),* $(,)?) => { &[$(Bundled { name: $name, text: include_str!(concat!("../../scenarios/", $name, ".toml")) }),*] };
}

/// All of them, the first things to try first.
pub const BUNDLED: &[Bundled] = bundled![
    "forward",
    "reverse",
    "stdio",
    "crash-restart",
    "slow-start",
    "hang",
    "chaos",
    "demo",
    "auth",
    "flapping-health",
    "leak",
    "flood",
    "soak",
    "everything",
    "chain"
];

impl Bundled {
    /// Its own line about itself.
    pub fn description(&self) -> String {
        let table = toml::de::DeTable::parse(self.text).ok();
        let text = table.and_then(|t| t.get_ref().get("description").and_then(|d| d.get_ref().as_str().map(str::to_owned)));
        text.unwrap_or_default()
    }
}

/// The bundled scenario of that name.
pub(super) fn find(name: &str) -> Option<&'static Bundled> {
    BUNDLED.iter().find(|b| b.name == name)
}
