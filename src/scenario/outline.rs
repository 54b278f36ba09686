//! What a scenario names, whether it has mistakes or not: enough to complete a command line by.

use super::{
    diagnostics::Collector,
    layers,
    locate::Located,
    source::Sources,
    tree::{Node, Table, Value},
};

/// More instances than this are not named one by one.
const MOST_REPLICAS: i64 = 100;

/// The names in a scenario.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outline {
    /// Its processes in file order; where there are replicas, the name of all of them, then that of each.
    pub processes: Vec<String>,
    /// Its variables, with their values.
    pub vars: Vec<(String, String)>,
}

/// Reads what a scenario names. Of one that is no TOML, nothing.
pub fn outline(located: &Located) -> Outline {
    let mut sources = Sources::default();
    let file = sources.add(&*located.name, &*located.dir, &*located.text);
    let Some((tree, _)) = layers::read(&mut sources, file, &mut Collector::default()) else { return Outline::default() };
    let entries = |key: &str| match tree.node(key) {
        Some(Node { value: Value::Table(table), .. }) => table.iter().map(|(name, entry)| (name.to_owned(), entry.node.clone())).collect(),
        _ => Vec::new(),
    };
    let defaults: Vec<(String, Node)> = entries("defaults");
    let for_all = defaults.iter().find(|(key, _)| key == "replicas").map(|(_, node)| node);
    Outline {
        processes: entries("process").into_iter().flat_map(|(name, node)| instances(name, &node, for_all)).collect(),
        vars: entries("vars").into_iter().map(|(name, node)| (name, text(&node))).collect(),
    }
}

fn instances(name: String, node: &Node, for_all: Option<&Node>) -> Vec<String> {
    let own = if let Value::Table(table) = &node.value { Table::node(table, "replicas") } else { None };
    let count = match own.or(for_all).map(|node| &node.value) {
        Some(Value::Integer(Some(count))) => (*count).clamp(0, MOST_REPLICAS),
        _ => 0,
    };
    let each: Vec<_> = (1..=count).map(|n| format!("{name}-{n}")).collect();
    std::iter::once(name).chain(each).collect()
}

fn text(node: &Node) -> String {
    match &node.value {
        Value::Text(text) => text.clone(),
        Value::Integer(Some(n)) => n.to_string(),
        Value::Float(x) => x.to_string(),
        Value::Bool(yes) => yes.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_files_with_mistakes_too() {
        let text = "nmae = 5\n[vars]\ncalls = 8\n[process.up]\ncomand = 1\n[process.w]\nreplicas = 2\n[process.odd]\n";
        let found = outline(&Located::text("x.toml", "/", text));
        assert_eq!(found.processes, ["up", "w", "w-1", "w-2", "odd"]);
        assert_eq!(found.vars, [("calls".to_owned(), "8".to_owned())]);
        assert_eq!(outline(&Located::text("x.toml", "/", "no toml at all")), Outline::default());
    }
}
