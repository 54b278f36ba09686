//! Which keys mean which action. Read from a file (`assets/keymap.toml` is the one embedded); help and hints are
//! made from the map that is live, so they cannot lie.

use toml::de::DeValue;

use super::{
    action::Action,
    asset::{AssetErrors, Reader},
    key::Key,
};

/// Where a binding holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Context {
    /// While the table of processes has the focus.
    Table,
    /// While a log has the focus.
    Log,
    /// While the screen is for an audience.
    Audience,
    /// Unless the focused pane says otherwise.
    Everywhere,
}

const CONTEXTS: [(&str, Context); 4] =
    [("table", Context::Table), ("log", Context::Log), ("demo", Context::Audience), ("everywhere", Context::Everywhere)];

/// The keymap that comes with the program.
pub(crate) const BUILT_IN: &str = include_str!("../../assets/keymap.toml");

#[derive(Debug, Clone, PartialEq, Eq)]
struct Binding {
    context: Context,
    keys: Vec<Key>,
    action: Action,
}

/// The live keymap.
#[derive(Debug, Clone)]
pub struct Keymap {
    bindings: Vec<Binding>,
}

/// What keys pressed so far amount to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// This.
    Action(Action),
    /// The beginning of something: these may follow.
    Prefix(Vec<(Key, Action)>),
    /// Nothing.
    Nothing,
}

impl Keymap {
    /// The one that comes with the program.
    pub fn built_in() -> Self {
        // It is part of the binary and a test reads it; were it broken, no key would work but the fixed ones.
        Self::parse("keymap.toml", BUILT_IN).unwrap_or(Self { bindings: Vec::new() })
    }

    /// Reads a keymap file: tables `everywhere`, `table`, `log` and `demo` with lines like `"C-r" = "rerun-tests"`.
    pub fn parse(file: &str, text: &str) -> Result<Self, AssetErrors> {
        Reader::read(file, text, |reader, table| {
            let mut map = Self { bindings: Vec::new() };
            for (name, bindings) in table {
                let Some((_, context)) = CONTEXTS.iter().find(|(known, _)| *known == name.get_ref().as_ref()) else {
                    reader.unknown(name.span(), "table", name.get_ref(), &CONTEXTS.map(|(name, _)| name));
                    continue;
                };
                for (keys, action) in reader.table(bindings).into_iter().flatten() {
                    map.bind(reader, *context, keys, action);
                }
            }
            map
        })
    }

    #[must_use]
    /// This map, with the bindings of `user` on top: its keys win.
    pub fn overridden_by(mut self, user: Keymap) -> Self {
        self.bindings.retain(|old| !user.bindings.iter().any(|new| new.context == old.context && clash(&new.keys, &old.keys)));
        self.bindings.extend(user.bindings);
        self
    }

    fn bind<'t>(
        &mut self,
        reader: &mut Reader<'t>,
        context: Context,
        keys: &toml::Spanned<std::borrow::Cow<'t, str>>,
        action: &toml::Spanned<DeValue<'t>>,
    ) {
        let parsed: Result<Vec<Key>, _> = keys.get_ref().split_whitespace().map(str::parse).collect();
        let sequence = match parsed {
            Ok(sequence) if (1..=3).contains(&sequence.len()) => sequence,
            Ok(_) => return reader.error(keys.span(), "one to three keys are wanted here, with blanks between them"),
            Err(unknown) => return reader.error(keys.span(), unknown.to_string()),
        };
        let Some(name) = reader.string(action) else { return };
        let Some(action_named) = Action::named(name) else {
            let known: Vec<_> = Action::all().map(Action::name).collect();
            return reader.unknown(action.span(), "action", name, &known);
        };
        if let Some(other) = self.bindings.iter().find(|old| old.context == context && clash(&old.keys, &sequence)) {
            let message = format!("{} clashes with {} = {:?}", show(&sequence), show(&other.keys), other.action.name());
            return reader.error(keys.span(), message);
        }
        self.bindings.push(Binding { context, keys: sequence, action: action_named });
    }

    /// What `keys` mean in `context`.
    pub(crate) fn find(&self, context: Context, keys: &[Key]) -> Found {
        for context in [context, Context::Everywhere] {
            let begins = || self.bindings.iter().filter(move |b| b.context == context && b.keys.starts_with(keys));
            if let Some(whole) = begins().find(|b| b.keys.len() == keys.len()) {
                return Found::Action(whole.action);
            }
            let next: Vec<_> = begins().map(|b| (b.keys[keys.len()], b.action)).collect();
            if !next.is_empty() && !keys.is_empty() {
                return Found::Prefix(next);
            }
        }
        Found::Nothing
    }

    /// The first key bound to `action` in `context`, as hints show it.
    pub(crate) fn key_of(&self, context: Context, action: Action) -> Option<String> {
        let of = |context| self.bindings.iter().find(|b| b.context == context && b.action == action);
        of(context).or_else(|| of(Context::Everywhere)).map(|b| show(&b.keys))
    }

    /// All keys bound to `action`, as the help shows them.
    pub(crate) fn keys_of(&self, action: Action) -> Vec<String> {
        self.bindings.iter().filter(|b| b.action == action).map(|b| show(&b.keys)).collect()
    }
}

/// Whether one of two sequences would hide the other.
fn clash(a: &[Key], b: &[Key]) -> bool {
    a.starts_with(b) || b.starts_with(a)
}

fn show(keys: &[Key]) -> String {
    keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<Key> {
        text.split_whitespace().map(|key| key.parse().expect("a key")).collect()
    }

    #[test]
    fn the_shipped_keymap_parses_without_clashes_and_binds_every_action() {
        let map = Keymap::parse("keymap.toml", BUILT_IN).unwrap_or_else(|e| panic!("{e}"));
        // Asked for by name (`:hold upstream`): too rare for a key, too far-reaching for a slip.
        let by_name = [Action::Hold];
        for action in Action::all() {
            assert_ne!(map.keys_of(action).is_empty(), !by_name.contains(&action), "{action:?} is bound to no key");
        }
    }

    #[test]
    fn a_pane_may_give_a_key_a_meaning_of_its_own() {
        let map = Keymap::built_in();
        assert_eq!(map.find(Context::Table, &keys("Space")), Found::Action(Action::Tick));
        assert_eq!(map.find(Context::Log, &keys("Space")), Found::Action(Action::PageDown));
        assert_eq!(map.find(Context::Log, &keys("q")), Found::Action(Action::Quit));
        assert_eq!(map.find(Context::Log, &keys("F12")), Found::Nothing);
    }

    #[test]
    fn sequences_offer_what_may_follow() {
        let map = Keymap::parse("k", "[everywhere]\n\"Z Z\" = \"quit\"\n\"Z x\" = \"stop\"").expect("valid");
        let next = vec![(Key::char('Z'), Action::Quit), (Key::char('x'), Action::Stop)];
        assert_eq!(map.find(Context::Table, &keys("Z")), Found::Prefix(next));
        assert_eq!(map.find(Context::Table, &keys("Z x")), Found::Action(Action::Stop));
        assert_eq!(map.find(Context::Table, &keys("Z y")), Found::Nothing);
    }

    #[test]
    fn mistakes_are_told_all_at_once_with_their_places() {
        let text = "[everywhere]\n\"C-r\" = \"rerun-test\"\n\"Foo\" = \"quit\"\n\"Tab\" = \"quit\"\n\"tab\" = \"help\"\n[tabel]\n";
        let errors = Keymap::parse("mine.toml", text).expect_err("four mistakes").0;
        let told: Vec<_> = errors.iter().map(|e| (e.line, e.column)).collect();
        assert_eq!(told, [(2, 9), (3, 1), (5, 1), (6, 2)]);
        assert!(errors[0].to_string().contains("did you mean \"rerun-tests\"?"), "{}", errors[0]);
        assert!(errors[2].message.contains("clashes"), "{}", errors[2]);
    }

    #[test]
    fn a_users_bindings_win_over_the_shipped_ones() {
        let user = Keymap::parse("mine.toml", "[everywhere]\n\"q\" = \"zoom\"\n").expect("valid");
        let map = Keymap::built_in().overridden_by(user);
        assert_eq!(map.find(Context::Table, &keys("q")), Found::Action(Action::Zoom));
        assert_eq!(map.find(Context::Table, &keys("Q")), Found::Action(Action::StopAndQuit));
    }
}
