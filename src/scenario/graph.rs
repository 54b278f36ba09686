//! Who waits for whom: circles, and the layers in which a run starts.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use indexmap::IndexMap;

use crate::model::{ProcessId, ProcessSpec};

type Processes = IndexMap<ProcessId, Arc<ProcessSpec>>;

/// Everybody that `process` waits for.
fn waits_for(process: &ProcessSpec) -> impl Iterator<Item = &ProcessId> {
    process.depends_on.iter().map(|d| &d.on)
}

/// The edges of the graph, by place in the file.
fn edges(processes: &Processes) -> Vec<Vec<usize>> {
    let places: HashMap<&ProcessId, usize> = processes.keys().enumerate().map(|(i, id)| (id, i)).collect();
    processes
        .values()
        .map(|p| {
            let mut next: Vec<usize> = waits_for(p).filter_map(|id| places.get(id).copied()).collect();
            next.sort_unstable();
            next
        })
        .collect()
}

/// Circles in which processes wait for each other, each from its first process in the file on; every process is in one at most.
pub(super) fn circles(processes: &Processes) -> Vec<Vec<ProcessId>> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        OnPath,
        Done,
    }
    let edges = edges(processes);
    let mut marks = vec![Mark::New; edges.len()];
    let mut found: Vec<Vec<usize>> = Vec::new();
    let mut in_circle = vec![false; edges.len()];
    for start in 0..edges.len() {
        // A path kept by hand: a chain of many thousand processes must not exhaust the stack.
        let mut path: Vec<(usize, usize)> = if marks[start] == Mark::New { vec![(start, 0)] } else { continue };
        marks[start] = Mark::OnPath;
        while let Some((at, next)) = path.last_mut() {
            let Some(&to) = edges[*at].get(*next) else {
                marks[*at] = Mark::Done;
                path.pop();
                continue;
            };
            *next += 1;
            match marks[to] {
                Mark::New => {
                    marks[to] = Mark::OnPath;
                    path.push((to, 0));
                }
                Mark::OnPath => {
                    let from = path.iter().rposition(|(at, _)| *at == to).unwrap_or(0);
                    let circle: Vec<usize> = path[from..].iter().map(|(at, _)| *at).collect();
                    if !circle.iter().any(|&at| in_circle[at]) {
                        for &at in &circle {
                            in_circle[at] = true;
                        }
                        found.push(circle);
                    }
                }
                Mark::Done => {}
            }
        }
    }
    let name = |at: usize| processes.get_index(at).map(|(id, _)| id.clone());
    found
        .into_iter()
        .map(|mut circle| {
            let first = circle.iter().enumerate().min_by_key(|(_, at)| **at).map_or(0, |(i, _)| i);
            circle.rotate_left(first);
            circle.into_iter().filter_map(name).collect()
        })
        .collect()
}

/// The processes in the order they can start: each layer waits only for earlier ones. File order within a layer; who waits in
/// a circle is left out.
pub(super) fn layers(processes: &Processes) -> Vec<Vec<ProcessId>> {
    let edges = edges(processes);
    let mut waiting: Vec<usize> = edges.iter().map(Vec::len).collect();
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    for (at, on) in edges.iter().enumerate().flat_map(|(at, all)| all.iter().map(move |on| (at, *on))) {
        dependants[on].push(at);
    }
    let mut layer: Vec<usize> = (0..edges.len()).filter(|&at| waiting[at] == 0).collect();
    let mut all = Vec::new();
    while !layer.is_empty() {
        let mut next = Vec::new();
        for &done in &layer {
            for &at in &dependants[done] {
                waiting[at] -= 1;
                if waiting[at] == 0 {
                    next.push(at);
                }
            }
        }
        next.sort_unstable();
        let ids = std::mem::replace(&mut layer, next);
        all.push(ids.into_iter().filter_map(|at| processes.get_index(at).map(|(id, _)| id.clone())).collect());
    }
    all
}

/// The processes named and everybody they need, in file order.
pub(super) fn closure(processes: &Processes, named: &BTreeSet<ProcessId>) -> BTreeSet<ProcessId> {
    let mut all = named.clone();
    let mut queue: Vec<ProcessId> = named.iter().cloned().collect();
    while let Some(id) = queue.pop() {
        for on in processes.get(&id).into_iter().flat_map(|p| waits_for(p).cloned()) {
            if all.insert(on.clone()) {
                queue.push(on);
            }
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Condition, Dependency};

    fn graph(edges: &[(&str, &[&str])]) -> Processes {
        let id = |name: &str| ProcessId::new(name).expect("a name");
        let process = |(name, on): &(&str, &[&str])| {
            let depends_on = on.iter().map(|on| Dependency { on: id(on), condition: Condition::Ready }).collect();
            (id(name), Arc::new(ProcessSpec { depends_on, ..ProcessSpec::new(id(name)) }))
        };
        edges.iter().map(process).collect()
    }

    fn names(all: &[Vec<ProcessId>]) -> Vec<String> {
        all.iter().map(|ids| ids.iter().map(ProcessId::as_str).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn layers_keep_file_order_and_hold_everybody_once() {
        let processes = graph(&[("c", &["a", "b"]), ("a", &[]), ("d", &["c"]), ("b", &["a"]), ("e", &[])]);
        assert_eq!(names(&layers(&processes)), ["a e", "b", "c", "d"]);
        assert!(circles(&processes).is_empty());
    }

    #[test]
    fn c1_each_circle_is_found_once_from_its_first_process_on() {
        let processes =
            graph(&[("x", &["b"]), ("a", &["c"]), ("b", &["a"]), ("c", &["b"]), ("s", &["s"]), ("p", &["q"]), ("q", &["p", "a"])]);
        assert_eq!(names(&circles(&processes)), ["a c b", "s", "p q"]);
        assert_eq!(names(&layers(&processes)), Vec::<String>::new());
    }

    #[test]
    fn a_chain_of_many_thousands_neither_exhausts_the_stack_nor_the_patience() {
        let names: Vec<String> = (0..20_000).map(|n| format!("p{n}")).collect();
        let on: Vec<[&str; 1]> = (0..20_000).map(|n| [names[(n + 1) % 20_000].as_str()]).collect();
        let ring: Vec<(&str, &[&str])> = names.iter().zip(&on).map(|(name, on)| (name.as_str(), on.as_slice())).collect();
        assert_eq!(circles(&graph(&ring))[0].len(), 20_000);
        let mut chain = ring;
        chain[19_999].1 = &[];
        assert_eq!(layers(&graph(&chain)).len(), 20_000);
    }
}
