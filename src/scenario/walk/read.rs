//! Values that must be known at once, and how they may be told.

use super::{
    super::{suggest::shown, tree::Node},
    state::{Scope, Stage, Walk},
    text::{Filled, MASK},
};

/// A value that must be known at once, and how it may be shown: what a secret or a port comes to is never told.
#[derive(Debug, Clone)]
pub(in crate::scenario) struct Read {
    value: String,
    told: String,
    secret: bool,
}

impl Read {
    pub(super) fn into_value(self) -> String {
        self.value
    }

    /// For a message.
    pub(in crate::scenario) fn shown(&self) -> String {
        shown(&self.told)
    }

    /// Whether something secret is in it, so that not even a part of it may be quoted.
    pub(super) fn is_secret(&self) -> bool {
        self.secret
    }
}

impl std::ops::Deref for Read {
    type Target = str;

    fn deref(&self) -> &str {
        &self.value
    }
}

impl Walk<'_> {
    /// A text that must be known at once. In a draft, ports in it have a number that stands for them.
    pub(in crate::scenario) fn plain(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<String> {
        self.read(key, node, scope).map(Read::into_value)
    }

    /// The same, for who may have to say what is wrong with it.
    pub(in crate::scenario) fn read(&mut self, key: &str, node: &Node, scope: Scope<'_>) -> Option<Read> {
        self.filled(key, node, scope.now()).map(|filled| self.readable(filled))
    }

    /// How a text that was filled in may be quoted.
    pub(super) fn readable(&self, filled: Filled) -> Read {
        let Filled { text, sample: value, secret, .. } = filled;
        let told = if secret && matches!(self.stage, Stage::Final { .. }) { MASK.to_owned() } else { text.to_string() };
        Read { value, told, secret }
    }
}
